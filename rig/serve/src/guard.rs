//! What every request has to be before anything is looked up for it, and what every answer bears.
//!
//! Boundary: heads of requests and answers. What is shown is `pages`'.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::token::Token;

/// No page of ours has a longer address.
const LONGEST_ADDRESS: usize = 2048;
const COOKIE: &str = "brickproof";
const PARAMETER: &str = "token=";

/// Nothing but our own style, script and pictures; nobody may put our pages into theirs.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Guard {
    token: Option<Token>,
    names: Vec<String>,
}

impl Guard {
    pub(crate) fn new(token: Option<Token>, names: Vec<String>) -> Self {
        Self { token, names }
    }

    /// Whether a page may be asked for under this name. An address can be nobody else's name.
    fn answers_to(&self, authority: &str) -> bool {
        let Some(host) = authority.parse::<Authority>().ok().filter(|_| !authority.contains('@')) else { return false };
        let host = host.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|name| host.eq_ignore_ascii_case(name))
    }

    /// The same for all that a request says of where it is going.
    fn is_meant(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        host.to_str().is_ok_and(|host| self.answers_to(host))
            && uri.authority().is_none_or(|authority| self.answers_to(authority.as_str()))
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let values = |name| headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        let bearer = values(header::AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
        let cookies = values(header::COOKIE).flat_map(|value| value.split(';'));
        let ours = cookies.filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        // All of them are looked at: which one is right is nobody's business.
        bearer.map(|it| token.is(it)).chain(ours.map(|it| token.is_in(it))).fold(false, |any, it| any | it)
    }

    /// What is answered to a token in the address: the same page without it, and a cookie.
    fn admit(&self, uri: &Uri) -> Option<Response> {
        let token = self.token.as_ref()?;
        let parameters = || uri.query().unwrap_or_default().split('&');
        let given = parameters().find_map(|it| it.strip_prefix(PARAMETER))?;
        if !token.is(given) {
            return None;
        }
        let rest: Vec<&str> = parameters().filter(|it| !it.is_empty() && !it.starts_with(PARAMETER)).collect();
        // A path that began with two slashes would lead to another computer.
        let path = format!("/{}", uri.path().trim_start_matches('/'));
        let place = if rest.is_empty() { path } else { format!("{path}?{}", rest.join("&")) };
        // `Lax`: a link to a page may stand anywhere, and there is nothing here that a foreign page could do by it.
        let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax", token.cookie());
        Some((StatusCode::SEE_OTHER, [(header::LOCATION, place), (header::SET_COOKIE, cookie)]).into_response())
    }
}

/// Whether an address is one that only this computer reaches.
pub(crate) fn is_private(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

/// Stands before everything.
pub(crate) async fn stand(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut answer = match refuse(&guard, &request) {
        Some(refused) => refused,
        None => next.run(request).await,
    };
    dress(answer.headers_mut());
    answer
}

fn refuse(guard: &Guard, request: &Request) -> Option<Response> {
    let (uri, headers) = (request.uri(), request.headers());
    let told = |status, text: &'static str| Some((status, [(header::CONNECTION, "close")], text).into_response());
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allowed = [(header::ALLOW, "GET, HEAD"), (header::CONNECTION, "close")];
        return Some((StatusCode::METHOD_NOT_ALLOWED, allowed, "this page is for looking only\n").into_response());
    }
    let has_length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if has_length || headers.contains_key(header::TRANSFER_ENCODING) {
        return told(StatusCode::BAD_REQUEST, "whoever only looks has nothing to send\n");
    }
    if uri.path_and_query().is_none_or(|it| it.as_str().len() > LONGEST_ADDRESS) {
        return told(StatusCode::URI_TOO_LONG, "no page here has such an address\n");
    }
    if !guard.is_meant(uri, headers) {
        return told(
            StatusCode::MISDIRECTED_REQUEST,
            "this page is not known under that name: use its address, or start `brickproof serve` with --name\n",
        );
    }
    if guard.knows(headers) {
        // Whoever has the cookie and the token in the address has it taken from there, too.
        return guard.admit(uri);
    }
    guard.admit(uri).or_else(|| {
        let words =
            "this page needs the token that `brickproof serve` was started with: add ?token=... to the address once\n";
        Some((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], words).into_response())
    })
}

/// What an answer bears that does not say otherwise.
fn dress(headers: &mut HeaderMap) {
    let usual: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in usual {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_names_that_were_given_are_answered_to() {
        let guard = Guard::new(None, vec!["bench.lab".to_owned()]);
        for ours in
            ["127.0.0.1:80", "127.0.0.1", "[::1]:4911", "localhost:9", "LOCALHOST", "192.168.7.2:80", "Bench.lab:80"]
        {
            assert!(guard.answers_to(ours), "{ours}");
        }
        for theirs in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil.example:80@127.0.0.1",
            "127.0.0.1@evil.example",
            "localhost:80:evil.example",
            "bench.lab.evil.example",
            "[::1",
        ] {
            assert!(!guard.answers_to(theirs), "{theirs}");
        }
    }
}
