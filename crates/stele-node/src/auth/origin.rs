//! Requests that a web page of somebody else makes a browser send.
//!
//! Requests from this machine count as the operator's, so a browser on it is a way in for any page that it shows. Two checks
//! close it, both without configuration:
//! - *Host*: a name that an attacker points at 127.0.0.1 (DNS rebinding) arrives in the `Host` field. Only IP addresses, `localhost`
//!   and names that the operator allows are answered; an address cannot be rebound.
//! - *Origin*: a state-changing request that a browser sends for a page carries that page's origin, which must be the node's own.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method};

/// What stands in the way of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// The `Host` field is missing, repeated or unreadable.
    NoHost,
    /// The `Host` is a name that the node does not go by.
    Host,
    /// The request comes from a page of another origin.
    Origin,
}

/// The `Host` of a request, if it is one under which the node may be asked.
///
/// # Errors
/// [`Foreign::NoHost`], [`Foreign::Host`].
pub fn check_host<'a>(headers: &'a HeaderMap, allowed: &[String]) -> Result<&'a str, Foreign> {
    let mut hosts = headers.get_all("host").iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Foreign::NoHost);
    };
    let host = host.to_str().map_err(|_| Foreign::NoHost)?;
    let name = name_of(host).ok_or(Foreign::NoHost)?;
    let known = name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name));
    if known { Ok(host) } else { Err(Foreign::Host) }
}

/// Refuses a request that a page of another origin may have caused, unless it only reads.
///
/// # Errors
/// [`Foreign::Origin`].
pub fn check_origin(method: &Method, headers: &HeaderMap, host: &str) -> Result<(), Foreign> {
    if method.is_safe() || !crosses_sites(headers, host) {
        Ok(())
    } else {
        Err(Foreign::Origin)
    }
}

/// Whether a browser sent this for a page of another origin. Programs that are no browsers send neither field.
pub fn crosses_sites(headers: &HeaderMap, host: &str) -> bool {
    let origins: Vec<_> = headers.get_all("origin").iter().collect();
    if !origins.is_empty() {
        let own = |origin: &str| {
            let authority = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"));
            authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        };
        return !origins.iter().all(|origin| origin.to_str().is_ok_and(own));
    }
    // `none` is the person's own doing, such as an address typed in.
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// The host without its port and brackets.
fn name_of(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        let (name, port) = rest.split_once(']')?;
        return (port.is_empty() || port.starts_with(':')).then_some(name);
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    // A name at the root (`localhost.`) is the same name.
    let name = name.strip_suffix('.').unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn addresses_localhost_and_allowed_names_are_answered() {
        let allowed = ["node.example".to_owned()];
        for host in [
            "127.0.0.1",
            "127.0.0.1:4180",
            "[::1]:4180",
            "[::1]",
            "localhost",
            "LOCALHOST:80",
            "localhost.",
            "192.0.2.7:4180",
            "node.example:443",
            "Node.Example",
        ] {
            assert_eq!(check_host(&headers(&[("host", host)]), &allowed), Ok(host));
        }
        for host in [
            "evil.example:4180",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notnode.example",
        ] {
            assert_eq!(
                check_host(&headers(&[("host", host)]), &allowed),
                Err(Foreign::Host),
                "{host}"
            );
        }
        for bad in [
            &[][..],
            &[("host", "")],
            &[("host", "[::1")],
            &[("host", "a"), ("host", "127.0.0.1")],
        ] {
            assert_eq!(check_host(&headers(bad), &allowed), Err(Foreign::NoHost));
        }
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let host = "127.0.0.1:4180";
        let check = |method: Method, fields: &[(&'static str, &str)]| {
            check_origin(&method, &headers(fields), host)
        };
        for good in [
            &[][..],
            &[("origin", "http://127.0.0.1:4180")],
            &[("origin", "https://127.0.0.1:4180")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
        ] {
            assert_eq!(check(Method::POST, good), Ok(()), "{good:?}");
        }
        for bad in [
            &[("origin", "null")][..],
            &[("origin", "http://evil.example")],
            &[("origin", "http://127.0.0.1:4181")],
            &[("origin", "http://127.0.0.1:4180.evil.example")],
            &[
                ("origin", "http://127.0.0.1:4180"),
                ("origin", "http://evil.example"),
            ],
            &[("origin", "file://")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ] {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                assert_eq!(check(method, bad), Err(Foreign::Origin), "{bad:?}");
            }
            assert_eq!(check(Method::GET, bad), Ok(()));
            assert!(
                crosses_sites(&headers(bad), host),
                "it reads as nobody in particular"
            );
        }
    }
}
