//! What the API server proves itself with, and what its one user does.

use std::path::Path;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use super::{USER, write};

/// Writes `ca.crt`, `server.{crt,key}`, `accounts.{key,pub}` and `tokens.csv`; returns the user's token.
pub(super) fn write_all(directory: &Path) -> Result<String> {
    let ca = authority().context("failed to make a certificate authority")?;
    write(&directory.join("ca.crt"), &ca.pem())?;

    let key = KeyPair::generate().context("failed to make a key")?;
    let certificate = server_certificate(&key, &ca).context("failed to make a certificate")?;
    write(&directory.join("server.crt"), &certificate)?;
    write(&directory.join("server.key"), &key.serialize_pem())?;

    let accounts = KeyPair::generate().context("failed to make a key")?;
    write(&directory.join("accounts.key"), &accounts.serialize_pem())?;
    write(&directory.join("accounts.pub"), &accounts.public_key_pem())?;

    let token = random_token()?;
    let line = format!("{token},{USER},{USER},system:masters\n");
    write(&directory.join("tokens.csv"), &line)?;
    Ok(token)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "testbed");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn server_certificate(key: &KeyPair, ca: &CertifiedIssuer<'static, KeyPair>) -> Result<String, rcgen::Error> {
    let names = ["localhost", "kubernetes.default.svc", "127.0.0.1", "10.0.0.1"];
    let mut params = CertificateParams::new(names.map(str::to_owned).to_vec())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params.signed_by(key, ca)?.pem())
}

/// The public half of a key nobody keeps is as random as the key.
fn random_token() -> Result<String> {
    let key = KeyPair::generate().context("failed to make a token")?;
    let mut token = String::new();
    for byte in key.public_key_raw() {
        token.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
        token.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
    }
    Ok(token)
}
