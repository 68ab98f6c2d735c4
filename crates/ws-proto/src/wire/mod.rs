//! The bytes of RFC 6455 section 5: frame headers, masking, and the keys to mask with.

pub(crate) mod header;
pub(crate) mod mask;
pub(crate) mod mask_key;
pub(crate) mod short;
