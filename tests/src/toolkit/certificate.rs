//! What tests ask of a certificate in JSON.

use serde_json::Value;

/// Asserts that nothing but the missing proof of the list's order, and of what rests on it, keeps a certificate from
/// `Exact`: the list was read whole, its end is proved, nobody is unexplained.
pub fn assert_order_alone_unproven(certificate: &Value) {
    assert_eq!(certificate["guarantee"], "BestEffort", "{certificate}");
    let evidence = certificate["evidence"].as_array();
    let is_order = |text: &Value| text.as_str().is_some_and(|text| text.contains("order"));
    assert!(
        evidence.is_some_and(|evidence| !evidence.is_empty() && evidence.iter().all(is_order)),
        "{certificate}"
    );
    assert_eq!(certificate["unexplained"], 0, "{certificate}");
}
