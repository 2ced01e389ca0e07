//! Page objects, which a runner sends and an object store may damage: what is read reads the same again.
#![no_main]

use followlytics_core::page::{check, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|object: &[u8]| {
    let Ok(page) = decode(object) else {
        assert!(check(object).is_err() || page_has_odd_rows(object));
        return;
    };
    let again = encode(&page.header, &page.lines).expect("what was read can be written");
    assert_eq!(decode(&again).expect("and read"), page);
});

/// `check` counts rows and does not read them.
fn page_has_odd_rows(object: &[u8]) -> bool {
    check(object).is_ok_and(|(_, rows)| rows > 0)
}
