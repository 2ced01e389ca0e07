//! Zstd frames, written and read with what each thread keeps for that: what is made anew for every page costs more
//! than a small page itself, most of all in a virtual machine.

use std::{
    cell::RefCell,
    io::{self, Read},
};

use zstd::{
    bulk::Compressor,
    stream::read::Decoder,
    zstd_safe::{DCtx, ResetDirective},
};

/// The fsync that follows costs more than what a higher level would save.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// One frame with all of the body.
pub(super) fn compress(body: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|kept| match kept {
        Some(compressor) => compressor.compress(body),
        None => kept.insert(Compressor::new(LEVEL)?).compress(body),
    })
}

/// Hands over what reads a frame's body; it must not read another frame meanwhile.
pub(super) fn decompress<T>(frame: &[u8], read: impl FnOnce(&mut dyn Read) -> T) -> T {
    DECOMPRESSOR.with_borrow_mut(|context| {
        // What was left in the middle must not go on here; a session alone can always be reset.
        let _ = context.reset(ResetDirective::SessionOnly);
        read(&mut Decoder::with_context(frame, context))
    })
}
