//! What sandbox and broker say to each other: a message that is read is written and read the same.
#![no_main]

use followlytics_core::{
    scan::window::Told,
    wire::{Beat, Claim, Failed, Found, Held, Release, Reply},
};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|text: &[u8]| {
    same::<Claim>(text);
    same::<Beat>(text);
    same::<Reply>(text);
    same::<Found>(text);
    same::<Failed>(text);
    same::<Held>(text);
    same::<Release>(text);
    same::<Told>(text);
});

fn same<M: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<M>(text) {
        let written = serde_json::to_vec(&message).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<M>(&written).expect("and read"), message);
    }
}
