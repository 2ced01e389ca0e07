//! A scan's decisions, from the first look-up to the certificate.

pub mod accept;
pub mod certificate;
#[cfg(feature = "crds")]
pub mod decide;
pub mod density;
pub mod edit;
pub mod empty;
pub mod entry;
pub mod fallback;
pub mod lease;
pub mod meeting;
pub mod merge;
pub mod observed;
pub mod overlap;
pub mod permit;
pub mod plan;
pub mod range;
pub mod request;
pub mod seam;
pub mod share;
pub mod since;
pub mod source;
pub mod split;
pub mod summary;
pub mod sweep;
pub mod window;
