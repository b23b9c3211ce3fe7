/*!
CORS: which pages of browsers may send here, by the Fetch standard.

A browser asks first (a preflight) whether a page of some origin may send a request
of this kind, and then lets the page read the answer if that names the origin. The
answers are those of the Collector (rs/cors), where an origin may have one `*`. What
is not allowed gets no header, and the browser refuses the page; a request that comes
nevertheless is served, since CORS does not guard the server.
*/

use super::reply::HttpReply;
use ::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts,
};

/// Request headers that need no mention.
const USUAL_HEADERS: [&str; 3] = ["accept", "content-type", "x-requested-with"];

/// Who may send from a browser, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// `allowed_origins`, in lower case.
    pub origins: Vec<String>,
    /// `allowed_headers`, in lower case, beside the usual ones.
    pub headers: Vec<String>,
    /// `exposed_headers`, as they are sent.
    pub exposed: Option<HeaderValue>,
    /// `max_age`, in seconds.
    pub max_age: Option<u64>,
}

impl Cors {
    /// Answers a preflight; None: the request is none.
    pub(crate) fn preflight(&self, head: &Parts) -> Option<Response<HttpReply>> {
        let method = head.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        if head.method != Method::OPTIONS {
            return None;
        }
        let mut response = Response::new(HttpReply::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        let varies = "origin, access-control-request-method, access-control-request-headers";
        headers.insert(header::VARY, HeaderValue::from_static(varies));
        let wanted = head.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        if method.as_bytes() != b"POST" || !wanted.is_none_or(|wanted| self.allows(wanted)) {
            return Some(response);
        }
        if !self.name_origin(&head.headers, headers) {
            return Some(response);
        }
        let post = HeaderValue::from_static("POST");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, post);
        if let Some(wanted) = wanted {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        if let Some(seconds) = self.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
        }
        Some(response)
    }

    /// Adds what lets the page that sent the request read the answer.
    pub(crate) fn open(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(header::VARY, HeaderValue::from_static("origin"));
        if self.name_origin(request, answer)
            && let Some(exposed) = &self.exposed
        {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    /// Names the origin of the request in its answer. False: it may not send.
    fn name_origin(&self, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
        let Some(origin) = request.get(header::ORIGIN) else {
            return false;
        };
        let named = if self.origins.iter().any(|allowed| allowed == "*") {
            HeaderValue::from_static("*")
        } else if self.origins.iter().any(|allowed| fits(allowed, origin)) {
            origin.clone()
        } else {
            return false;
        };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, named);
        let yes = HeaderValue::from_static("true");
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        true
    }

    /// Returns true if a request may have the headers of this list.
    fn allows(&self, list: &HeaderValue) -> bool {
        let Ok(list) = list.to_str() else {
            return false;
        };
        let is_allowed = |name: &str| {
            let is = |allowed: &str| allowed == "*" || allowed.eq_ignore_ascii_case(name);
            USUAL_HEADERS.into_iter().any(is) || self.headers.iter().any(|allowed| is(allowed))
        };
        let mut names = list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        names.all(|name| HeaderName::from_bytes(name.as_bytes()).is_ok() && is_allowed(name))
    }
}

/// Returns true if `origin` is `allowed`, which may have one `*` for any text.
fn fits(allowed: &str, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let origin = origin.to_ascii_lowercase();
    match allowed.split_once('*') {
        None => origin == allowed,
        Some((start, end)) => {
            origin.len() >= start.len() + end.len()
                && origin.starts_with(start)
                && origin.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ::http::Request;

    fn cors(origins: &[&str], headers: &[&str]) -> Cors {
        let texts = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
        Cors {
            origins: texts(origins),
            headers: texts(headers),
            exposed: Some(HeaderValue::from_static("x-trace")),
            max_age: Some(7200),
        }
    }

    fn head(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_preflight_names_origins_and_headers_that_are_allowed() {
        let asks = |cors: &Cors, origin: &str, method: &str, wanted: &str| {
            let head = head(
                "OPTIONS",
                &[
                    ("origin", origin),
                    ("access-control-request-method", method),
                    ("access-control-request-headers", wanted),
                ],
            );
            let answer = cors.preflight(&head).unwrap();
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            let named = answer.headers().get("access-control-allow-origin");
            let named = named.map(|value| value.to_str().unwrap().to_owned());
            let is_open = answer
                .headers()
                .contains_key("access-control-allow-methods");
            assert_eq!(named.is_some(), is_open);
            named
        };
        let one = cors(
            &["https://shop.example", "https://*.shop.example"],
            &["x-user"],
        );
        let all = cors(&["*"], &["*"]);
        let named = |text: &str| Some(text.to_owned());
        let (origin, below) = ("https://shop.example", "https://a.shop.example");
        assert_eq!(asks(&one, origin, "POST", "content-type"), named(origin));
        assert_eq!(
            asks(&one, below, "POST", "Content-Type, X-User"),
            named(below)
        );
        assert_eq!(
            asks(&one, "https://SHOP.example", "POST", ""),
            named("https://SHOP.example")
        );
        assert_eq!(asks(&one, "https://.shop.exampl", "POST", ""), None);
        assert_eq!(asks(&one, "http://shop.example", "POST", ""), None);
        assert_eq!(asks(&one, origin, "DELETE", ""), None);
        assert_eq!(asks(&one, origin, "POST", "authorization"), None);
        assert_eq!(asks(&all, "null", "POST", "authorization"), named("*"));
    }

    #[test]
    fn other_requests_are_no_preflights() {
        let cors = cors(&["*"], &[]);
        let method = ("access-control-request-method", "POST");
        assert!(
            cors.preflight(&head("OPTIONS", &[("origin", "a")]))
                .is_none()
        );
        assert!(cors.preflight(&head("POST", &[method])).is_none());
        let mut answer = HeaderMap::new();
        cors.open(&head("POST", &[]).headers, &mut answer);
        assert_eq!(answer.len(), 1, "only that it varies: {answer:?}");
        cors.open(
            &head("POST", &[("origin", "https://a")]).headers,
            &mut answer,
        );
        assert_eq!(answer["access-control-allow-origin"], "*");
        assert_eq!(answer["access-control-expose-headers"], "x-trace");
    }
}
