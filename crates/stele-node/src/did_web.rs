//! Fetching documents of did:web: only where the operator asks for it, by https, from public addresses, without redirects.
//!
//! A node fetches here on behalf of strangers, so it must not be a way into the network that it stands in: names that lead to
//! private or special addresses are refused after they were resolved, and the connection goes to the address that was checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use stele_credentials::Refusal;
use stele_credentials::did::rules::{DID_NOT_FOUND, DID_WEB_ADDRESS};
use stele_credentials::did::web::{DOCUMENT_BYTES_MAX, address, document};
use stele_credentials::did::{Did, DidDocument};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// How long one document may take.
const WAIT: Duration = Duration::from_secs(10);

/// Fetches documents.
#[derive(Debug)]
pub struct WebDocuments {
    agent: Agent,
}

impl WebDocuments {
    /// Fetches from public addresses, under the roots that browsers know.
    pub fn new() -> Self {
        Self::with(
            PublicOnly(DefaultResolver::default()),
            ureq::tls::TlsConfig::default(),
        )
    }

    fn with(resolver: impl Resolver, tls: ureq::tls::TlsConfig) -> Self {
        let config = Config::builder()
            .https_only(true)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(WAIT))
            .user_agent("stele")
            .tls_config(tls)
            .build();
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
        }
    }

    /// The document of a did:web.
    ///
    /// # Errors
    /// `did.web-address`, `did.not-found`, those of [`document`].
    pub fn fetch(&self, did: &Did) -> Result<DidDocument, Refusal> {
        let url = address(did)?;
        let mut answer = self.agent.get(&url).call().map_err(|error| match error {
            Error::HostNotFound => DID_WEB_ADDRESS.because("its host has no public address"),
            other => DID_NOT_FOUND.because(other),
        })?;
        if answer.status() != 200 {
            return Err(DID_NOT_FOUND.because(format_args!("HTTP {}", answer.status().as_u16())));
        }
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(DOCUMENT_BYTES_MAX as u64)
            .read_to_vec()
            .map_err(|error| DID_NOT_FOUND.because(error))?;
        document(did, &bytes)
    }
}

/// Resolves names, and keeps the addresses that anybody may reach.
#[derive(Debug)]
struct PublicOnly<R>(R);

impl<R: Resolver> Resolver for PublicOnly<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let mut public = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            public.push(*address);
        }
        if public.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(public)
    }
}

/// Whether an address is on the public internet (IANA's registries of special-purpose addresses, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Carriers' own (RFC 6598), protocol assignments (RFC 6890), the old 6to4 relays, benchmarks (RFC 2544).
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3; within it documentation and addresses that carry another one are no addresses of their own.
    let special = first & 0xe000 != 0x2000
        || (first, second) == (0x2001, 0x0db8)
        || (first == 0x2001 && second < 0x0200)
        || first == 0x2002
        || first == 0x3fff;
    !special
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};
    use ureq::tls::{Certificate, RootCerts, TlsConfig};

    use super::*;

    #[test]
    fn only_public_addresses_are_asked() {
        let public = [
            "93.184.215.14",
            "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
            "1.1.1.1",
        ];
        let special = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "3fff::1",
            "100::1",
        ];
        for (addresses, expected) in [(&public[..], true), (&special[..], false)] {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    /// Leads every name to one place.
    #[derive(Debug)]
    struct To(SocketAddr);

    impl Resolver for To {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            addresses.push(self.0);
            Ok(addresses)
        }
    }

    /// A server of one certificate that gives these answers, one for each connection. Returns its address and the certificate.
    fn serve(answers: Vec<String>) -> (SocketAddr, Vec<u8>) {
        let names = vec!["university.example".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let certificate = cert.der().clone();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let mut request = [0; 4096];
                // A client that does not trust us says so here.
                if stream.read(&mut request).is_ok() {
                    let _ = stream.write_all(answer.as_bytes());
                    let _ = stream.flush();
                }
            }
        });
        (address, certificate.to_vec())
    }

    fn answer(head: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn trusting(certificate: &[u8]) -> TlsConfig {
        let roots = vec![Certificate::from_der(certificate).to_owned()];
        TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build()
    }

    #[test]
    fn a_document_is_fetched_and_judged() {
        let did = Did::parse("did:web:university.example").unwrap();
        let key =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let body = format!(
            r#"{{"id":"{did}","verificationMethod":[{{"id":"{did}#1","type":"JsonWebKey","controller":"{did}","publicKeyJwk":{key}}}],"assertionMethod":["{did}#1"]}}"#
        );
        let other = body.replace("university.example", "other.example");
        let large = "x".repeat(DOCUMENT_BYTES_MAX + 1);
        let (server, certificate) = serve(vec![
            answer("200 OK", &body),
            answer("200 OK", &other),
            answer("404 Not Found", ""),
            answer("302 Found\r\nlocation: https://university.example/", ""),
            answer("200 OK", &large),
            answer("200 OK", &body),
        ]);
        let documents = WebDocuments::with(To(server), trusting(&certificate));
        let found = documents.fetch(&did).unwrap();
        assert_eq!(found.methods.len(), 1);
        let code = || documents.fetch(&did).unwrap_err().code();
        assert_eq!(code(), "did.document-of-another");
        for what in ["missing", "elsewhere", "too large"] {
            assert_eq!(code(), "did.not-found", "{what}");
        }
        // Whom browsers do not know is not believed.
        let strangers = WebDocuments::with(To(server), TlsConfig::default());
        assert_eq!(strangers.fetch(&did).unwrap_err().code(), "did.not-found");
    }

    #[test]
    fn a_name_that_leads_inside_is_refused() {
        let inside = PublicOnly(To(([127, 0, 0, 1], 443).into()));
        let documents = WebDocuments::with(inside, TlsConfig::default());
        let did = Did::parse("did:web:university.example").unwrap();
        assert_eq!(documents.fetch(&did).unwrap_err().rule(), DID_WEB_ADDRESS);
    }
}
