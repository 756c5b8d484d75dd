//! The cryptography that str0m is given.
//!
//! str0m's own choices are OpenSSL, or crates that bring aws-lc in. This workspace has ring, so ring does the work on
//! every packet, and the RustCrypto side of dimpl does the DTLS handshake, once per session.

mod dtls;
mod hash;
mod srtp;

use anyhow::{Context, Result};
use str0m::crypto::CryptoProvider;
use str0m::crypto::dtls::DtlsCert;

/// All that str0m needs.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        srtp_provider: &srtp::Srtp,
        sha1_hmac_provider: &hash::Hash,
        sha1_provider: &hash::Hash,
        sha256_provider: &hash::Hash,
        dtls_provider: &dtls::Dtls,
    }
}

/// A new self-signed certificate with its key.
///
/// # Errors
/// When the system gives no random numbers.
pub(crate) fn certificate() -> Result<DtlsCert> {
    let key = rcgen::KeyPair::generate().context("making a key")?;
    let certificate = rcgen::CertificateParams::default()
        .self_signed(&key)
        .context("making a certificate")?;
    Ok(DtlsCert {
        certificate: certificate.der().to_vec(),
        private_key: key.serialize_der(),
    })
}
