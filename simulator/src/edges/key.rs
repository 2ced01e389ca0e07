//! Keys of follows: `milliseconds << 20 | sequence`, unique within an account and strictly increasing.
//!
//! Where follows may be dated before 1970, the milliseconds count from [`BACKDATED_MS`] before it.

/// Sequence distance between two edges of one millisecond; the gap leaves room for cursors *between* edges.
pub(crate) const SEQUENCE_STEP: u64 = 64;
pub(super) const SEQUENCE_BITS: u32 = 20;

/// Milliseconds before 1970 from which keys count on a platform whose follows carry a date of their own: 278 years.
pub(crate) const BACKDATED_MS: u64 = 1 << 43;

/// The follow time inside a key, in milliseconds.
pub(crate) const fn key_ms(key: u64) -> u64 {
    key >> SEQUENCE_BITS
}

/// The smallest key of a millisecond.
pub(crate) const fn first_key(ms: u64) -> u64 {
    // A fabricated cursor may name any time; beyond the representable it is simply "the far future".
    if ms >= 1 << (64 - SEQUENCE_BITS) {
        u64::MAX
    } else {
        ms << SEQUENCE_BITS
    }
}
