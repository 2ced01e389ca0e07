//! A page's header for tests.

use super::*;

pub(crate) fn header() -> Header {
    Header {
        format: 1,
        scan: "uid".into(),
        platform: Platform::X,
        account_id: "1".into(),
        range: 3,
        epoch: 2,
        seq: 9,
        input: Place::at(9),
        output: Place {
            position: 10,
            cursor: Some("token".into()),
        },
        exhausted: false,
        permit: "p".into(),
        seen_at: Timestamp::UNIX_EPOCH,
        price_version: 1,
        source: crate::scan::source::Source::Api,
        returned: 2,
        total: None,
        anomalies: Vec::new(),
    }
}
