use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Serves one answer to each connection, with a certificate of its own for `localhost`. Returns the port and
/// the certificate's thumbprint.
async fn serve(answer: String) -> (u16, String) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            drop(stream.shutdown().await);
        }
    });
    (port, hex::encode(digest))
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn fetch(url: &str, thumbprints: &[String]) -> Result<String, String> {
    let fetched = HttpsKeyFetcher::default().fetch(url, thumbprints).await;
    fetched.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|error| error.reason)
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_thumbprint_only() {
    let (port, thumbprint) = serve(ok("{}")).await;
    let url = format!("https://localhost:{port}/keys");
    assert_eq!(fetch(&url, &["0".repeat(40), thumbprint.clone()]).await, Ok("{}".to_owned()));
    assert!(fetch(&url, &["0".repeat(40)]).await.unwrap_err().contains("certificate"));
    // The certificate is for another name.
    let other = format!("https://127.0.0.1:{port}/keys");
    assert!(fetch(&other, &[thumbprint]).await.unwrap_err().contains("certificate"));
}

#[tokio::test]
async fn only_an_answer_of_its_own_is_taken() {
    let too_long = ok(&" ".repeat(MAX_DOCUMENT_BYTES + 1));
    let moved = "HTTP/1.1 302 Found\r\nlocation: https://localhost/\r\ncontent-length: 0\r\n\r\n";
    for (answer, expected) in [
        (too_long, "length limit exceeded"),
        (moved.to_owned(), "the answer is 302 Found"),
        ("nonsense\r\n\r\n".to_owned(), "invalid HTTP version parsed"),
    ] {
        let (port, thumbprint) = serve(answer).await;
        let found = fetch(&format!("https://localhost:{port}/"), &[thumbprint]).await;
        assert_eq!(found, Err(expected.to_owned()));
    }
    for url in ["http://localhost/", "https://", "ftp://localhost/"] {
        assert!(fetch(url, &[]).await.is_err(), "{url}");
    }
}
