//! GS1 keys: the forms of EPC URNs and GS1 Digital Link URIs, and one key for both spellings of the same thing.
//!
//! EPC Tag Data Standard 2.0 (URNs) and GS1 Digital Link URI Syntax 1.4 (primary keys). A URN becomes a Digital Link
//! path without a question; the other way needs the length of the company prefix, which a Digital Link does not say.
//! [`match_key`] therefore writes both as the path, such as `/01/09999999000018/21/7`.

/// An EPC URN's scheme: how many parts it has, how many digits the first two share, whether it is serialised, and the
/// application identifiers of its Digital Link.
struct Scheme {
    name: &'static str,
    /// Digits of company prefix and reference together.
    digits: usize,
    /// The first digit of the reference is an indicator that moves to the front of the key.
    indicator: bool,
    /// The key ends in a check digit that the URN leaves out.
    check: bool,
    key: &'static str,
    /// The application identifier of the third part, when there is one.
    serial: Option<&'static str>,
}

const fn scheme(
    name: &'static str,
    digits: usize,
    indicator: bool,
    key: &'static str,
    serial: Option<&'static str>,
) -> Scheme {
    Scheme {
        name,
        digits,
        indicator,
        check: true,
        key,
        serial,
    }
}

const IDS: &[Scheme] = &[
    scheme("sgtin", 13, true, "01", Some("21")),
    scheme("sscc", 17, true, "00", None),
    scheme("sgln", 12, false, "414", Some("254")),
    scheme("pgln", 12, false, "417", None),
    scheme("grai", 12, false, "8003", Some("")),
    scheme("gdti", 12, false, "253", Some("")),
    scheme("gsrn", 17, false, "8018", None),
    scheme("gsrnp", 17, false, "8017", None),
    scheme("sgcn", 12, false, "255", Some("")),
    scheme("itip", 13, true, "8006", Some("21")),
];
const CLASSES: &[Scheme] = &[scheme("lgtin", 13, true, "01", Some("10"))];
/// Schemes whose references have no fixed number of digits.
const FREE: &[&str] = &[
    "giai", "cpi", "gid", "usdod", "adi", "bic", "imovn", "ginc", "gsin", "upui",
];

/// Whether a URI that claims to be a GS1 key has its form; any other URI is fine.
///
/// # Errors
/// What is wrong with it.
pub fn check(uri: &str) -> Result<(), &'static str> {
    if let Some(rest) = uri.strip_prefix("urn:epc:") {
        return check_urn(rest);
    }
    match digital_link(uri) {
        Some((key, value, _)) => check_primary(key, value),
        None => Ok(()),
    }
}

/// One text for the two spellings of a thing: a Digital Link path for EPC URNs and Digital Links of the common schemes, and
/// the URI itself for everything else.
pub fn match_key(uri: &str) -> String {
    if let Some(path) = uri.strip_prefix("urn:epc:").and_then(urn_to_path) {
        return path;
    }
    match digital_link(uri) {
        Some((key, value, rest)) if check_primary(key, value).is_ok() => {
            let value = if key == "01" {
                format!("{value:0>14}")
            } else {
                value.to_owned()
            };
            let mut path = format!("/{key}/{}", decode(&value));
            let mut parts = rest.split('/');
            while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                if matches!(key, "21" | "10" | "254") && !(key == "254" && value == "0") {
                    path.push_str(&format!("/{key}/{}", decode(value)));
                }
            }
            path
        }
        _ => uri.to_owned(),
    }
}

/// The check digit of a GS1 key's digits (GS1 General Specifications section 7.9).
pub fn check_digit(digits: &str) -> Option<u8> {
    let mut sum = 0;
    for (index, byte) in digits.bytes().rev().enumerate() {
        if !byte.is_ascii_digit() {
            return None;
        }
        sum += u32::from(byte - b'0') * if index % 2 == 0 { 3 } else { 1 };
    }
    Some(((10 - sum % 10) % 10) as u8)
}

fn check_urn(rest: &str) -> Result<(), &'static str> {
    let mut parts = rest.splitn(3, ':');
    let (Some(kind), Some(name), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("an EPC URN is urn:epc:KIND:SCHEME:VALUE");
    };
    if kind == "idpat" {
        return Ok(());
    }
    let table = match kind {
        "id" => IDS,
        "class" => CLASSES,
        _ => return Err("an EPC URN is of kind id, class or idpat"),
    };
    let Some(scheme) = table.iter().find(|s| s.name == name) else {
        let known = FREE.contains(&name) && !value.is_empty();
        return if known {
            Ok(())
        } else {
            Err("an unknown EPC scheme")
        };
    };
    scheme.parts(value).map(|_| ())
}

impl Scheme {
    /// Company prefix, reference and serial number of a URN's value.
    fn parts<'a>(
        &self,
        value: &'a str,
    ) -> Result<(&'a str, &'a str, Option<&'a str>), &'static str> {
        let mut parts = value.splitn(3, '.');
        let (Some(prefix), Some(reference)) = (parts.next(), parts.next()) else {
            return Err("company prefix and reference are separated by a point");
        };
        let serial = parts.next();
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !(6..=12).contains(&prefix.len()) || !digits(prefix) {
            return Err("a company prefix has 6 to 12 digits");
        }
        if !digits(reference) || prefix.len() + reference.len() != self.digits {
            return Err("company prefix and reference have a fixed number of digits together");
        }
        match (self.serial, serial) {
            (None, Some(_)) => Err("this scheme has no serial number"),
            (Some(_), None) => Err("the serial number is missing"),
            (Some(_), Some("")) => Err("the serial number is empty"),
            _ => Ok((prefix, reference, serial)),
        }
    }
}

fn urn_to_path(rest: &str) -> Option<String> {
    let (kind, rest) = rest.split_once(':')?;
    let (name, value) = rest.split_once(':')?;
    let table = match kind {
        "id" => IDS,
        "class" => CLASSES,
        _ => return None,
    };
    let scheme = table.iter().find(|s| s.name == name)?;
    // Schemes that append their serial number to the key are found by their URN.
    if scheme.serial == Some("") || scheme.name == "itip" {
        return None;
    }
    let (prefix, reference, serial) = scheme.parts(value).ok()?;
    let mut key = if scheme.indicator {
        format!("{}{prefix}{}", &reference[..1], &reference[1..])
    } else {
        format!("{prefix}{reference}")
    };
    if scheme.check {
        key.push(char::from(b'0' + check_digit(&key)?));
    }
    let mut path = format!("/{}/{key}", scheme.key);
    // Extension 0 of a location says that it has none.
    if let (Some(ai), Some(serial)) = (scheme.serial, serial)
        && !(name == "sgln" && serial == "0")
    {
        path.push_str(&format!("/{ai}/{}", decode(serial)));
    }
    Some(path)
}

/// The primary key of a Digital Link URI, its value, and the path behind it.
fn digital_link(uri: &str) -> Option<(&str, &str, &str)> {
    const KEYS: &[&str] = &[
        "01", "00", "414", "417", "8003", "253", "8018", "8017", "255", "8004", "8010", "8006",
    ];
    let rest = uri
        .strip_prefix("https://")
        .or_else(|| uri.strip_prefix("http://"))?;
    let rest = rest.split(['?', '#']).next()?;
    let (host, mut path) = rest.split_once('/')?;
    // Any web address may hold a number; only GS1's own resolver is taken at its word.
    if host != "id.gs1.org" {
        return None;
    }
    loop {
        let (part, rest) = path.split_once('/')?;
        if KEYS.contains(&part) {
            let (value, behind) = rest.split_once('/').unwrap_or((rest, ""));
            return Some((part, value, behind));
        }
        path = rest;
    }
}

fn check_primary(key: &str, value: &str) -> Result<(), &'static str> {
    let lengths: &[usize] = match key {
        "01" => &[8, 12, 13, 14],
        "00" | "8018" | "8017" => &[18],
        "414" | "417" => &[13],
        _ => {
            return if value.is_empty() {
                Err("the key is empty")
            } else {
                Ok(())
            };
        }
    };
    if !lengths.contains(&value.len()) {
        return Err("the key has another number of digits");
    }
    let (digits, last) = value.split_at(value.len() - 1);
    match check_digit(digits) {
        Some(check) if last.as_bytes() == [b'0' + check] => Ok(()),
        Some(_) => Err("the check digit is wrong"),
        None => Err("the key has digits only"),
    }
}

/// Percent-decoding of what decodes to text; anything else stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let mut byte = [0];
        match pair.map(|pair| hex::decode_to_slice(pair, &mut byte)) {
            Some(Ok(())) => {
                plain.push(byte[0]);
                at += 3;
            }
            _ => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urns_and_digital_links_meet() {
        // The examples of the EPC Tag Data Standard, section 7.
        for (urn, link, path) in [
            (
                "urn:epc:id:sgtin:0614141.812345.6789",
                "https://id.gs1.org/01/80614141123458/21/6789",
                "/01/80614141123458/21/6789",
            ),
            (
                "urn:epc:id:sscc:0614141.1234567890",
                "https://id.gs1.org/00/106141412345678908",
                "/00/106141412345678908",
            ),
            (
                "urn:epc:id:sgln:0614141.12345.400",
                "https://id.gs1.org/414/0614141123452/254/400",
                "/414/0614141123452/254/400",
            ),
            (
                "urn:epc:id:sgln:0614141.12345.0",
                "https://id.gs1.org/414/0614141123452",
                "/414/0614141123452",
            ),
            (
                "urn:epc:class:lgtin:0614141.812345.A%2FB",
                "https://id.gs1.org/01/80614141123458/10/A%2fB?17=270101",
                "/01/80614141123458/10/A/B",
            ),
        ] {
            assert_eq!(match_key(urn), path, "{urn}");
            assert_eq!(match_key(link), path, "{link}");
            assert_eq!((check(urn), check(link)), (Ok(()), Ok(())), "{urn} {link}");
        }
        assert_eq!(match_key("https://example.org/a"), "https://example.org/a");
        assert_eq!(
            match_key("urn:epc:id:giai:4000001.111"),
            "urn:epc:id:giai:4000001.111"
        );
    }

    #[test]
    fn check_digits() {
        for (digits, check) in [
            ("629104150021", 3),
            ("8061414112345", 8),
            ("10614141234567890", 8),
            ("", 0),
        ] {
            assert_eq!(check_digit(digits), Some(check), "{digits}");
        }
        assert_eq!(check_digit("12a"), None);
    }

    #[test]
    fn forms_are_checked() {
        for good in [
            "urn:epc:id:sgtin:0614141.107346.2017",
            "urn:epc:id:sscc:4012345.0111111111",
            "urn:epc:id:giai:4000001.111",
            "urn:epc:idpat:sgtin:4012345.066666.*",
            "urn:epc:id:pgln:9520001.11111",
            "https://example.org/01/123",
            "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "urn:epc:id:sgtin:0614141.10734.2017",
            "urn:epc:id:sgtin:0614141.107346",
            "urn:epc:id:sgtin:0614141.107346.",
            "urn:epc:id:sscc:4012345.011111111",
            "urn:epc:id:nothing:1.2",
            "urn:epc:tag:sgtin-96:1.2.3",
            "urn:epc:id:sgtin:061414x.107346.1",
            "https://id.gs1.org/01/80614141123459/21/1",
            "https://id.gs1.org/01/123",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged(text in "(urn:epc:|https://id.gs1.org/)?(id:|class:|01/|00/)?(sgtin:|lgtin:)?[0-9.%/*a-c\\PC]{0,20}") {
            let _ = check(&text);
            let _ = match_key(&text);
        }
    }
}
