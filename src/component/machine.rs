/*!
The process and the machine it runs on, as the loader asks for them.

A configuration that is fetched over HTTP is asked for once, with a time limit: the start
or the reload then fails with an error that names the address. Proxies are those of the
environment, and certificates those that the system trusts.
*/

use crate::{
    config::{Environment, process},
    http::{
        ClientProtocol, ClientSettings, Compression, ConnectOptions, HttpClient, Payload, Proxies,
        config::url,
    },
    tls::ClientTls,
};
use http::{HeaderMap, Request, Uri};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    thread,
    time::Duration,
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// This process, on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// Asks for the addresses of hosts to listen on; else each name stands for all
    /// addresses, since it may be that of another machine.
    pub(super) resolves: bool,
}

impl Environment for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        process(name)
    }

    fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self.resolves {
            true => (host, port).to_socket_addrs().map(Iterator::collect),
            false => Ok(vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))]),
        }
    }

    fn fetch(&self, address: &str, limit: usize) -> Result<Vec<u8>, String> {
        let address = url(address)?;
        // A thread of its own, since the caller may be in a runtime.
        let fetching = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let fetched = tokio::time::timeout(PATIENCE, get(&address, limit)).await;
                let patience = humantime::format_duration(PATIENCE);
                fetched.unwrap_or_else(|_| Err(format!("no answer within {patience}")))
            })
        });
        let fetched = fetching.join();
        fetched.unwrap_or_else(|_| Err("it could not be fetched because of a bug".to_owned()))
    }
}

async fn get(address: &str, limit: usize) -> Result<Vec<u8>, String> {
    let uri = Uri::try_from(address).map_err(|error| error.to_string())?;
    let settings = ClientSettings {
        proxies: Proxies::from_environment(process)?,
        ..ClientSettings::asking(address, ClientTls::default())
    };
    let options = ConnectOptions::asking(PATIENCE);
    let protocol = ClientProtocol::Web;
    let client = HttpClient::build(&uri, &settings, protocol, HeaderMap::new(), options)?;
    let body = Payload::http(&[], Compression::None).map_err(|error| error.to_string())?;
    let request = Request::get(uri).body(body.body());
    let request = request.map_err(|error| error.to_string())?;
    let answer = client.send(request, limit).await;
    let answer = answer.map_err(|no_answer| no_answer.cause)?;
    match answer.head.status.as_u16() {
        200 => Ok(answer.body.into()),
        status @ 300..=399 => Err(format!(
            "it answers with HTTP {status}: name the address that it redirects to"
        )),
        status => Err(format!("it answers with HTTP {status}")),
    }
}
