//! Keys and certificates for one control plane, valid for loopback only.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The authority that signed the API server's certificate.
pub(crate) const CA_CERT: &str = "ca.crt";
/// The API server's certificate.
pub(crate) const SERVER_CERT: &str = "apiserver.crt";
/// The key of [`SERVER_CERT`].
pub(crate) const SERVER_KEY: &str = "apiserver.key";
/// The key that ServiceAccount tokens are signed with.
pub(crate) const TOKEN_KEY: &str = "service-accounts.key";
/// The public part of [`TOKEN_KEY`].
pub(crate) const TOKEN_PUBLIC_KEY: &str = "service-accounts.pub";

/// Writes all of the files above into the directory. The keys are ECDSA P-256, made in a millisecond.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let authority_key = KeyPair::generate().context("making a key")?;
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "webinar-testbed");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_cert = authority
        .self_signed(&authority_key)
        .context("making the authority's certificate")?;
    let issuer = Issuer::new(authority, authority_key);

    let server_key = KeyPair::generate().context("making a key")?;
    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
    let mut server = CertificateParams::new(names).context("naming the API server")?;
    server
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_cert = server
        .signed_by(&server_key, &issuer)
        .context("making the API server's certificate")?;

    let token_key = KeyPair::generate().context("making a key")?;
    for (name, pem) in [
        (CA_CERT, authority_cert.pem()),
        (SERVER_CERT, server_cert.pem()),
        (SERVER_KEY, server_key.serialize_pem()),
        (TOKEN_KEY, token_key.serialize_pem()),
        (TOKEN_PUBLIC_KEY, token_key.public_key_pem()),
    ] {
        fs::write(directory.join(name), pem).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}
