//! Ways to cut a stream of bytes into reads.

/// The reads in which `bytes` arrive if they are cut into pieces of these sizes, over and over. A size of 0 counts as
/// 1.
pub fn chop<'b>(bytes: &'b [u8], sizes: &[usize]) -> Vec<&'b [u8]> {
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let n = sizes.next().unwrap_or(usize::MAX).max(1).min(rest.len());
        let (piece, behind) = rest.split_at(n);
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// One byte a read.
pub fn every_byte(bytes: &[u8]) -> Vec<&[u8]> {
    chop(bytes, &[1])
}

/// A handful of ways to cut that have found bugs elsewhere: whole, by bytes, by odd sizes, by powers of two around
/// headers.
pub fn cuts() -> &'static [&'static [usize]] {
    &[&[], &[1], &[2], &[3], &[7], &[1, 5, 2], &[64], &[997], &[4096], &[13, 1, 130, 2]]
}
