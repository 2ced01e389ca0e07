//! Who the API server is on loopback: an authority of its own, and the certificate it serves with.
//!
//! Durable: the authority, certificate and key in one file of mode 0600. The serving certificate is not: each start
//! makes one, and a running server makes the next when two thirds of its life are over, so its key is never on disk.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

use crate::{exit::Failure, private_file};

/// Days of an authority; one with fewer than `AUTHORITY_LEFT` to go is replaced at the start.
const AUTHORITY_DAYS: i64 = 3650;
const AUTHORITY_LEFT: i64 = 365;
/// Days of a serving certificate, and after how many a running server makes the next.
const SERVING_DAYS: i64 = 90;
const SERVING_USED: i64 = 60;

/// An authority that signs for this machine's loopback addresses and nothing else.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authority {
    /// PEM.
    certificate: String,
    /// PEM.
    key: String,
    not_after: Date,
}

/// The certificates of a running server.
pub(crate) struct Identity {
    authority: Authority,
    names: Vec<SanType>,
    serving: Mutex<Serving>,
}

struct Serving {
    config: Arc<ServerConfig>,
    until: Date,
}

impl Identity {
    /// The authority in this file, made if there is none or if it ends soon, and a certificate for `address`.
    pub(crate) fn open(path: &Path, address: IpAddr, now: Timestamp) -> Result<Self, Failure> {
        let today = day(now);
        let authority = match Authority::read(path)? {
            Some(kept) if kept.not_after > later(today, AUTHORITY_LEFT) => kept,
            _ => {
                let made = Authority::make(today).context("failed to make the API server's authority")?;
                let text = serde_json::to_vec_pretty(&made).context("failed to write the authority")?;
                private_file::replace(path, &text).map_err(|source| {
                    Failure::storage(format!(
                        "failed to write {}: {source}; make the data directory writable for you",
                        path.display()
                    ))
                })?;
                made
            }
        };
        let names = names(address)?;
        let serving = authority.serve(&names, today).map_err(|error| {
            Failure::storage(format!(
                "failed to sign with the authority in {}: delete the file, and the next `up` makes another and \
                 writes the kubeconfig anew",
                path.display()
            ))
            .because(error)
        })?;
        Ok(Self {
            authority,
            names,
            serving: Mutex::new(serving),
        })
    }

    /// What clients have to trust, in PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority.certificate
    }

    /// Shakes hands with the certificate of this day.
    pub(crate) fn acceptor(&self, now: Timestamp) -> TlsAcceptor {
        let today = day(now);
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if today >= serving.until {
            match self.authority.serve(&self.names, today) {
                Ok(next) => *serving = next,
                // The one at hand is good for a while yet.
                Err(error) => tracing::error!(%error, "failed to renew the API server's certificate"),
            }
        }
        TlsAcceptor::from(Arc::clone(&serving.config))
    }
}

impl Authority {
    fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let refused = |what: String| {
            Failure::storage(format!(
                "failed to read the API server's authority in {}: {what}; delete the file, and the next `up` makes \
                 another and writes the kubeconfig anew",
                path.display()
            ))
        };
        match std::fs::read(path) {
            // The parser's own words could quote the key.
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| refused(format!("line {} is not what was written", error.line()))),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(refused(source.to_string())),
        }
    }

    fn make(today: Date) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let not_after = later(today, AUTHORITY_DAYS);
        let mut params = authority_params();
        valid(&mut params, today, not_after)?;
        Ok(Self {
            certificate: params.self_signed(&key)?.pem(),
            key: key.serialize_pem(),
            not_after,
        })
    }

    fn serve(&self, names: &[SanType], today: Date) -> anyhow::Result<Serving> {
        let issuer = Issuer::new(authority_params(), KeyPair::from_pem(&self.key)?);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "followlytics");
        params.subject_alt_names = names.to_vec();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, today, later(today, SERVING_DAYS).min(self.not_after))?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Serving {
            config: config(certificate.der().clone(), key.serialize_der())?,
            until: later(today, SERVING_USED),
        })
    }
}

fn config(certificate: CertificateDer<'static>, key: Vec<u8>) -> anyhow::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key).into())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The authority's own description; the same at every start, or what it signs would not lead back to it.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "followlytics up, this machine only");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    // Whoever gets hold of the key can still impersonate nothing but loopback.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv4Addr::LOCALHOST.into(), 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv6Addr::LOCALHOST.into(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

fn names(address: IpAddr) -> anyhow::Result<Vec<SanType>> {
    let mut addresses = vec![
        IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::from(Ipv6Addr::LOCALHOST),
    ];
    if !addresses.contains(&address) {
        addresses.push(address);
    }
    let mut names = vec![SanType::DnsName("localhost".try_into()?)];
    names.extend(addresses.into_iter().map(SanType::IpAddress));
    Ok(names)
}

fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

fn later(date: Date, days: i64) -> Date {
    date.saturating_add(days.days())
}

fn valid(params: &mut CertificateParams, today: Date, until: Date) -> anyhow::Result<()> {
    // A clock that is a little behind must not refuse what was made just now.
    let from = today.saturating_sub(1.day());
    params.not_before = date_time_ymd(
        from.year().into(),
        from.month().try_into()?,
        from.day().try_into()?,
    );
    params.not_after = date_time_ymd(
        until.year().into(),
        until.month().try_into()?,
        until.day().try_into()?,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_authority_is_kept_until_it_ends_soon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.json");
        let open = |now| Identity::open(&path, Ipv4Addr::LOCALHOST.into(), at(now)).unwrap();
        let first = open("2026-11-20T10:00:00Z").authority.certificate;
        assert_eq!(open("2035-01-01T00:00:00Z").authority.certificate, first);
        assert_ne!(open("2036-01-01T00:00:00Z").authority.certificate, first);
    }

    #[test]
    fn a_running_server_renews_its_certificate_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.json");
        let identity = Identity::open(&path, Ipv4Addr::LOCALHOST.into(), at("2026-11-20T10:00:00Z")).unwrap();
        let config = |now| Arc::clone(identity.acceptor(at(now)).config());
        let first = config("2026-11-20T10:00:00Z");
        assert!(Arc::ptr_eq(&first, &config("2027-01-18T00:00:00Z")));
        assert!(!Arc::ptr_eq(&first, &config("2027-01-19T00:00:00Z")));
    }

    #[test]
    fn a_damaged_authority_is_told_without_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.json");
        std::fs::write(&path, "{\"key\": \"hidden\", }").unwrap();
        let failure = Identity::open(&path, Ipv4Addr::LOCALHOST.into(), Timestamp::UNIX_EPOCH)
            .err()
            .unwrap();
        assert!(
            failure.message.contains("delete the file") && !failure.message.contains("hidden"),
            "{failure}"
        );
    }
}
