//! The record of a follow: its key, its JSON and its content id, as a PDS computes them.

use sha2::{Digest as _, Sha256};

use super::COLLECTION;

/// An account and its follow, for the AppView's database.
#[derive(Debug, Clone)]
pub struct Follow {
    /// DID of the follower.
    pub did: String,
    /// Its handle.
    pub handle: String,
    /// Date in the record: `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    pub created_at: String,
    /// When the AppView indexed it, in the same form.
    pub indexed_at: String,
}

impl Follow {
    /// The record's URI; its key is made of the DID, which is unique.
    pub(super) fn uri(&self) -> String {
        let unique = self
            .did
            .get(self.did.len().saturating_sub(13)..)
            .unwrap_or_default();
        format!("at://{}/{COLLECTION}/{unique}", self.did)
    }

    pub(super) fn json(&self, subject: &str) -> String {
        format!(
            r#"{{"$type":"{COLLECTION}","subject":"{subject}","createdAt":"{}"}}"#,
            self.created_at
        )
    }

    /// `CIDv1`, dag-cbor, SHA-256. The record does not name its author: follows of one instant share their id.
    pub(super) fn cid(&self, subject: &str) -> String {
        // A map of three texts; shorter keys come first.
        let mut cbor = vec![0xa3];
        for text in [
            "$type",
            COLLECTION,
            "subject",
            subject,
            "createdAt",
            &self.created_at,
        ] {
            write_text(&mut cbor, text);
        }
        let mut id = vec![0x01, 0x71, 0x12, 0x20];
        id.extend(Sha256::digest(&cbor));
        format!("b{}", base32(&id))
    }
}

/// Texts of at most 255 bytes.
fn write_text(cbor: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    if length < 24 {
        cbor.push(0x60 | length);
    } else {
        cbor.extend([0x78, length]);
    }
    cbor.extend(text.as_bytes());
}

/// RFC 4648, lower case, without padding.
fn base32(bytes: &[u8]) -> String {
    let digit = |value: u32| char::from_digit(value & 31, 32).unwrap_or_default();
    let letter = |value: u32| match value & 31 {
        value @ 0..26 => char::from_u32(u32::from(b'a') + value).unwrap_or_default(),
        value => digit(value - 24),
    };
    let mut text = String::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(buffer >> bits));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(letter(buffer << (5 - bits)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_id_is_that_of_a_real_record() {
        let follow = Follow {
            did: "did:plc:57e2o63qyta4hgbqjp3os35l".to_owned(),
            handle: String::new(),
            created_at: "2024-01-01T00:00:00.000Z".to_owned(),
            indexed_at: String::new(),
        };
        assert_eq!(
            follow.cid("did:plc:ej7pgoqbji5tzon675qayxro"),
            "bafyreihhgx2qybmnoe7usjrorurtfkg7ahpwomm46gddeev5xcf2yr54s4"
        );
    }
}
