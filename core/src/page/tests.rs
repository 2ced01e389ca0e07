use proptest::prelude::*;

use super::{testing::header, *};

fn row(id: &str) -> Line {
    Line::Row(Row {
        id: id.into(),
        handle: "h".into(),
        ..Row::default()
    })
}

#[test]
fn a_page_reads_back_as_it_was_written() {
    let unread = Line::Unread {
        unread: "{\"id\":7}".into(),
        error: "id is a number".into(),
    };
    let lines = vec![row("1"), unread, row("2")];
    let page = decode(&encode(&header(), &lines).unwrap()).unwrap();
    assert_eq!(page.lines, lines);
    assert_eq!(page.header, header());
    assert_eq!(page.rows().count(), 2);
}

#[test]
fn an_unknown_header_field_is_refused() {
    let mut value = serde_json::to_value(header()).unwrap();
    value["price"] = 0.into();
    let object = format!("{value}\n");
    assert!(matches!(
        decode_header(object.as_bytes()),
        Err(PageError::Header(_))
    ));
}

#[test]
fn a_body_that_swells_beyond_the_limit_is_refused() {
    let mut object = serde_json::to_vec(&header()).unwrap();
    object.push(b'\n');
    let bomb = vec![b' '; usize::try_from(MAX_BODY).unwrap() + 10];
    object.extend(zstd::encode_all(bomb.as_slice(), 1).unwrap());
    assert!(matches!(decode(&object), Err(PageError::TooLarge { .. })));
}

#[test]
fn a_truncated_page_is_an_error_and_never_a_shorter_page() {
    let lines: Vec<Line> = (0..50).map(|n| row(&n.to_string())).collect();
    let object = encode(&header(), &lines).unwrap();
    let (_, start) = decode_header(&object).unwrap();
    for end in start..object.len() {
        assert!(decode(&object[..end]).is_err(), "{end} of {}", object.len());
    }
}

/// A line that is nearly a row: each field there or not, right or wrong.
fn nearly() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-3".to_owned()),
        Just("1.5".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("{}".to_owned()),
        Just("\"2024-01-01T00:00:00Z\"".to_owned()),
        "\\PC{0,4}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let names = [
        "id",
        "handle",
        "name",
        "bio",
        "location",
        "followers",
        "verified",
        "created",
        "unread",
        "error",
        "new",
    ];
    prop::collection::vec((prop::sample::select(names.to_vec()), value), 0..5).prop_map(|fields| {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}\n", fields.join(","))
    })
}

fn object(body: &[u8]) -> Vec<u8> {
    let mut object = serde_json::to_vec(&header()).unwrap();
    object.push(b'\n');
    object.extend(zstd::encode_all(body, 1).unwrap());
    object
}

proptest! {
    #[test]
    fn checking_refuses_what_reading_refuses_and_counts_what_it_reads(
        lines in prop::collection::vec(nearly(), 0..6),
    ) {
        let object = object(lines.concat().as_bytes());
        match (decode(&object), check(&object)) {
            (Ok(page), Ok((header, lines))) => {
                prop_assert_eq!(page.lines.len(), lines);
                prop_assert_eq!(page.header, header);
            }
            (Err(read), Err(checked)) => prop_assert_eq!(format!("{read}"), format!("{checked}")),
            (read, checked) => prop_assert!(false, "{:?} and {:?}", read.is_ok(), checked.is_ok()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn damage_never_panics(at in 0usize..600, flip in 1u8..) {
        let mut object = encode(&header(), &[row("1"), row("2")]).unwrap();
        let at = at % object.len();
        object[at] ^= flip;
        let _ = decode(&object);
    }
}
