//! The h2 crate's client on the other side: what it encodes is what is read,
//! and what is written it understands.

use super::*;
use ::h2::client;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use proptest::{collection::vec, prelude::*};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// What the server saw of each request: path, content type, credentials, body.
type Read = (String, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);

/// Serves until the client has gone.
async fn serve(mut socket: DuplexStream) -> Vec<Read> {
    let mut wire = Wire::silent();
    wire.h2 = H2Connection::new(H2Limits {
        streams: 100,
        header_bytes: 16 << 10,
        ..limits()
    });
    let (mut all, mut buffer) = (Vec::<Read>::new(), [0; 1000]);
    loop {
        socket
            .write_all(&std::mem::take(&mut wire.h2.out))
            .await
            .unwrap();
        let read = socket.read(&mut buffer).await.unwrap();
        if read == 0 {
            assert_eq!(wire.h2.failure(), None);
            return all;
        }
        let mut input = [&wire.rest, &buffer[..read]].concat();
        let mut rest = &input[..];
        while let Some(event) = wire.h2.next(&mut rest) {
            let (stream, ended) = match event {
                H2Event::Head { stream, ended } => {
                    let head = wire.h2.head();
                    let own = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
                    all.push((
                        String::from_utf8(head.path().to_vec()).unwrap(),
                        own(head.content_type()),
                        own(head.credentials()),
                        Vec::new(),
                    ));
                    (stream, ended)
                }
                H2Event::Data {
                    stream,
                    bytes,
                    ended,
                } => {
                    all.last_mut().unwrap().3.extend_from_slice(bytes);
                    (stream, ended)
                }
                H2Event::Ended { stream } => (stream, true),
                H2Event::Gone { stream } => panic!("{stream} is gone"),
            };
            if ended {
                let body = vec![7; all.last().unwrap().3.len()];
                wire.h2.answer(
                    stream,
                    b"\x88",
                    &body,
                    ReplyEnd::Trailers(b"\x00\x01a\x01b"),
                );
            }
        }
        input.drain(..input.len() - rest.len());
        wire.rest = input;
    }
}

async fn send(socket: DuplexStream, requests: &[Read]) {
    let (mut sender, connection) = client::handshake(socket).await.unwrap();
    let driver = tokio::spawn(connection);
    for (path, content_type, credentials, body) in requests {
        let mut request = http::Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://test{path}").parse().unwrap();
        let headers = request.headers_mut();
        let value = |bytes: &Vec<u8>| HeaderValue::from_bytes(bytes).unwrap();
        if let Some(kind) = content_type {
            headers.insert("content-type", value(kind));
        }
        if let Some(token) = credentials {
            headers.insert(HeaderName::from_static("x-token"), value(token));
        }
        sender = sender.ready().await.unwrap();
        let (response, mut stream) = sender.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            stream.send_data(Bytes::from(body.clone()), true).unwrap();
        }
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let mut answer = response.into_body();
        let mut length = 0;
        while let Some(data) = answer.data().await {
            let data = data.unwrap();
            length += data.len();
            answer.flow_control().release_capacity(data.len()).unwrap();
        }
        assert_eq!(length, body.len());
        assert_eq!(answer.trailers().await.unwrap().unwrap()["a"], "b");
    }
    drop(sender);
    driver.await.unwrap().unwrap();
}

fn exchange(requests: &[Read]) -> Vec<Read> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(3000);
        tokio::join!(serve(ours), send(theirs, requests)).0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_h2_sends_is_read(requests in vec((
        "/[a-zA-Z0-9._~/-]{0,60}",
        proptest::option::of("[!-~]{1,30}"),
        proptest::option::of(vec(prop_oneof![0x21..0x7f_u8, 0x80..=0xff_u8], 1..60)),
        vec(any::<u8>(), 0..5000),
    ), 1..12)) {
        let requests: Vec<Read> = requests.into_iter().map(|(path, kind, token, body)| {
            (path, kind.map(String::into_bytes), token, body)
        }).collect();
        prop_assert_eq!(exchange(&requests), requests);
    }
}

#[test]
fn bodies_larger_than_all_windows_pass() {
    let one = |n: usize| ("/a".to_owned(), None, None, vec![1; n]);
    let requests = [one(6 << 20), one(100_000), one(1)];
    assert_eq!(exchange(&requests), requests);
}
