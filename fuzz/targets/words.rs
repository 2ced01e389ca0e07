//! Words that people write: accounts, sums of money, versions. What is read is shown so that it reads the same.
#![no_main]

use std::{fmt::Display, str::FromStr};

use followlytics_core::{account::AccountRef, money::Usd, scan::since::Since};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    same::<AccountRef>(text);
    same::<Usd>(text);
    same::<Since>(text);
});

fn same<W: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(word) = W::from_str(text) {
        let shown = word.to_string();
        match W::from_str(&shown) {
            Ok(again) => assert_eq!(again, word, "shown as {shown:?}"),
            Err(_) => panic!("{text:?} is shown as {shown:?}, which is none"),
        }
    }
}
