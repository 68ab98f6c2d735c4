//! Which origins may open a connection, RFC 6455 sections 4.2.2, 10.1 and 10.2.

use super::uri::Authority;

/// From which web sites' scripts connections are accepted.
///
/// A browser lets any page connect to any server, with the cookies of the user, and says in `Origin` whose
/// page it is. That the server looks at it is all that keeps other sites' scripts from acting for the user
/// (RFC 6455 section 10.2). Programs that are no browsers may leave `Origin` out or write anything into it
/// (section 10.1); it does not authenticate anybody, and therefore each policy accepts a request without it.
///
/// Two `Origin` headers are refused under every policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OriginPolicy<'a> {
    /// Scripts of the origins in this list, like `https://example.com`. Scheme and host are compared without
    /// regard to case, a port that is the default one may be left out. An entry that is no origin of this
    /// form, like `null`, matches the same bytes only.
    AllowList(&'a [&'a str]),
    /// Everybody's scripts. For services that need no cookies, or have looked at the origin themselves.
    AllowAnyOrigin,
    /// Scripts of the same scheme, host and port as the `Host` of the request. The default, with plain HTTP.
    SameOrigin {
        /// Whether clients reach this server with `https` or `wss`. The core cannot know: TLS is done beneath
        /// it, or by a proxy in front.
        scheme_is_https: bool,
    },
}

impl OriginPolicy<'_> {
    /// Whether a request with this `Host` may come from this origin.
    pub(super) fn allows(&self, origin: &[u8], host: &Authority<'_>) -> bool {
        match *self {
            Self::AllowAnyOrigin => true,
            Self::AllowList(origins) => origins.iter().any(|allowed| is_same(origin, allowed)),
            Self::SameOrigin { scheme_is_https } => {
                let scheme = if scheme_is_https { "https" } else { "http" };
                Origin::parse(origin).is_some_and(|origin| {
                    origin.scheme.eq_ignore_ascii_case(scheme)
                        && origin.authority.is_same(host, default_port(scheme))
                })
            }
        }
    }
}

impl Default for OriginPolicy<'_> {
    /// The same origin, with plain HTTP.
    fn default() -> Self {
        Self::SameOrigin { scheme_is_https: false }
    }
}

/// A serialised origin: a scheme, a host, and perhaps a port, and nothing else (RFC 6454 section 6.2).
struct Origin<'o> {
    scheme: &'o str,
    authority: Authority<'o>,
}

impl<'o> Origin<'o> {
    fn parse(origin: &'o [u8]) -> Option<Self> {
        let (scheme, authority) = core::str::from_utf8(origin).ok()?.split_once("://")?;
        Some(Self { scheme, authority: Authority::parse(authority).ok()? })
    }
}

fn is_same(origin: &[u8], allowed: &str) -> bool {
    if origin == allowed.as_bytes() {
        return true;
    }
    match (Origin::parse(origin), Origin::parse(allowed.as_bytes())) {
        (Some(a), Some(b)) => {
            a.scheme.eq_ignore_ascii_case(b.scheme)
                && a.authority.is_same(&b.authority, default_port(b.scheme))
        }
        _ => false,
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ => None,
    }
}
