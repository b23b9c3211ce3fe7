/*!
`zpages`: pages about the running service, for a browser and for `wayspan tap`.

`/debug/pipelinez` has the account of every item, `/debug/tracez` the spans that pass while
somebody looks, and the others what the service is made of. All are made when asked for, on
the admin thread; [`recent`] is bounded, and nothing is kept of spans when nobody looks.
*/

mod about;
mod account;
pub(crate) mod config;
mod html;
mod peers;
mod recent;
mod table;
mod tracez;
mod watch;

pub(crate) use about::AboutService;
pub(crate) use recent::{SeenSpan, SeenSpans};

use crate::telemetry::http::{PageAnswer, PageRequest};
use html::{Escaped, frame};
use http::StatusCode;
use std::{
    fmt::Write as _,
    process,
    time::{Duration, Instant, SystemTime},
};
use tracez::Tracez;

pub(super) const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The pages, with what they remember.
pub(crate) struct ZPages {
    started: (SystemTime, Instant),
    tracez: Tracez,
}

impl ZPages {
    /// Pages of a service that starts now. Answers are made on a `LocalSet`.
    pub(crate) fn new() -> Self {
        Self {
            started: (SystemTime::now(), Instant::now()),
            tracez: Tracez::default(),
        }
    }

    /// Answers a request; None: there is no such page.
    pub(crate) fn answer(
        &self,
        request: &PageRequest<'_>,
        about: &AboutService,
    ) -> Option<PageAnswer> {
        let html = |title, body: &str| (StatusCode::OK, HTML, frame(title, None, body));
        Some(match request.path {
            "/debug/pipelinez" => {
                let text = account::text(&about.routes, &about.limited);
                match request.is_browser {
                    true => html("Pipelines", &pipelines(about, &text)),
                    false => (StatusCode::OK, TEXT, text),
                }
            }
            "/debug/servicez" => html("Service", &self.service(about)),
            "/debug/extensionz" => html("Extensions", &extensions(about)),
            "/debug/featurez" => html("Feature gates", "<p>wayspan has no feature gates.</p>"),
            "/debug/tracez" => self.tracez.answer(request.query, about),
            _ => return None,
        })
    }

    fn service(&self, about: &AboutService) -> String {
        let (at, since) = self.started;
        let uptime = Duration::from_secs(since.elapsed().as_secs());
        let rows = [
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
            ("Process", process::id().to_string()),
            ("Started", humantime::format_rfc3339_seconds(at).to_string()),
            ("Runs for", humantime::format_duration(uptime).to_string()),
            ("Pipelines", about.ways.len().to_string()),
            ("Extensions", about.extensions.len().to_string()),
        ];
        let mut body = String::from("<table>");
        for (title, text) in rows {
            let _ = write!(body, "<tr><th>{title}</th><td>{}</td></tr>", Escaped(&text));
        }
        body.push_str("</table>");
        body
    }
}

fn pipelines(about: &AboutService, account: &str) -> String {
    let mut body = String::from("<table><tr><th>Pipeline</th><th>Way of an item</th></tr>");
    for (pipeline, way) in &about.ways {
        let (pipeline, way) = (Escaped(pipeline), Escaped(way));
        let _ = write!(body, "<tr><td>{pipeline}</td><td>{way}</td></tr>");
    }
    let _ = write!(body, "</table><pre>{}</pre>", Escaped(account));
    body
}

fn extensions(about: &AboutService) -> String {
    let mut body = String::from("<table><tr><th>Extension</th><th>What it does</th></tr>");
    for (id, said) in &about.extensions {
        let (id, said) = (Escaped(id), said.join("; "));
        let _ = write!(body, "<tr><td>{id}</td><td>{}</td></tr>", Escaped(&said));
    }
    body.push_str("</table>");
    body
}
