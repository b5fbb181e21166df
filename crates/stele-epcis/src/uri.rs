//! URIs by the grammar of RFC 3986 appendix A.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether the text is a `URI` (with a scheme; not a relative reference).
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    let scheme_is_good = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let (rest, fragment) = rest.split_once('#').map_or((rest, ""), |(a, b)| (a, b));
    let (path, query) = rest.split_once('?').map_or((rest, ""), |(a, b)| (a, b));
    scheme_is_good && is_hier_part(path) && made_of(query, b":@/?") && made_of(fragment, b":@/?")
}

fn is_hier_part(text: &str) -> bool {
    match text.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_authority(authority) && made_of(path, b":@/")
        }
        None => made_of(text, b":@/"),
    }
}

fn is_authority(text: &str) -> bool {
    let (user, host) = text.split_once('@').map_or(("", text), |(u, h)| (u, h));
    let port = |text: &str| {
        text.is_empty()
            || text
                .strip_prefix(':')
                .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let host_is_good = match host.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .is_some_and(|(literal, rest)| is_ip_literal(literal) && port(rest)),
        None => {
            let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
            (name.parse::<Ipv4Addr>().is_ok() || made_of(name, b"")) && port(rest)
        }
    };
    made_of(user, b":") && host_is_good
}

fn is_ip_literal(text: &str) -> bool {
    match text.strip_prefix('v') {
        Some(future) => future.split_once('.').is_some_and(|(version, address)| {
            !version.is_empty()
                && version.bytes().all(|b| b.is_ascii_hexdigit())
                && !address.is_empty()
                && !address.contains('%')
                && made_of(address, b":")
        }),
        None => text.parse::<Ipv6Addr>().is_ok(),
    }
}

/// Whether the text has only unreserved characters, sub-delimiters, percent-encodings and the bytes in `more`.
fn made_of(text: &str, more: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let plain = byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=".contains(byte)
            || more.contains(byte);
        let encoded = *byte == b'%'
            && bytes
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if !plain && !encoded {
            return false;
        }
        at += if plain { 1 } else { 3 };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfc_and_of_gs1() {
        for good in [
            "ftp://ftp.is.co.za/rfc/rfc1808.txt",
            "http://www.ietf.org/rfc/rfc2396.txt",
            "ldap://[2001:db8::7]/c=GB?objectClass?one",
            "mailto:John.Doe@example.com",
            "tel:+1-816-555-1212",
            "telnet://192.0.2.16:80/",
            "urn:epc:idpat:sgtin:4012345.066666.*",
            "ni:///sha-256;df7bb3c352fef055578554f09f5e2aa41782150ced7bd0b8af24dd3ccb30ba69?ver=CBV2.0",
            "https://id.gs1.org/01/09506000134352/21/A%2FB",
            "example:x",
            "a:",
            "a://u:p@h:1/p?q#f",
            "a://[v1.x:y]",
            "a:/",
        ] {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "",
            ":",
            "1a:b",
            "no-scheme",
            "a b:c",
            "a:b c",
            "a:<b>",
            "a:%zz",
            "a:%4",
            "a://h:port",
            "a://[::1",
            "a://[zz]",
            "http://h/#a#b",
            "a:ü",
            "//h/p",
            "a:b\n",
        ] {
            assert!(!is_uri(bad), "{bad:?}");
        }
    }
}
