//! Whom encrypted connections trust. The roots are embedded: to read and parse the system's costs a
//! cold start more than everything else together.

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use rustls::{ClientConfig, RootCertStore};

/// Amazon Trust Services' roots, which all AWS endpoints chain to
/// (<https://www.amazontrust.com/repository/>).
const AMAZON_ROOTS: &[u8] = include_bytes!("tls/amazon_roots.pem");

/// The HTTP client of all AWS clients.
pub fn aws_http_client() -> SharedHttpClient {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    match TlsContext::builder().with_trust_store(roots).build() {
        Ok(context) => client.tls_context(context).build_https(),
        // It has no way to fail today; the system's roots would do.
        Err(_) => client.build_https(),
    }
}

/// The HTTP client of everything else: trusts Mozilla's roots, as browsers do.
pub fn http_client() -> reqwest::Client {
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(config);
    // As reqwest's own constructor, whose only failure is a TLS backend that it cannot build.
    client.build().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazons_roots_are_five_certificates() {
        let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 5);
    }
}
