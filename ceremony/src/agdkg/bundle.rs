//! Many files in one (SPEC section 3). `AGDKG1BN`: u32 count, count × (u32 length ‖ file).

use std::collections::BTreeSet;

use crate::agdkg::wire::{Malformed, Reader};
use crate::agdkg::{
    BUNDLE_MAGIC, CERTIFICATE_MAGIC, CERTIFY_MAGIC, COMPLAINT_MAGIC, DEAL_MAGIC, PLAN_MAGIC, PRECOMMIT_MAGIC,
    REDACTED_MAGIC,
};
use crate::fault::{Check, Fault};

/// A bundle holds at most so many files.
pub const MAX_FILES: u32 = 65_535;

/// The files of a bundle, by what their first bytes say they are. None of them was read any further.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// Plans.
    pub plans: Vec<&'a [u8]>,
    /// Pre-commits.
    pub precommits: Vec<&'a [u8]>,
    /// Deals, whole or redacted.
    pub deals: Vec<&'a [u8]>,
    /// Certify files.
    pub certifies: Vec<&'a [u8]>,
    /// Complaints.
    pub complaints: Vec<&'a [u8]>,
    /// Certificates.
    pub certificates: Vec<&'a [u8]>,
    /// Anything else.
    pub others: Vec<&'a [u8]>,
}

impl<'a> Bundle<'a> {
    /// Reads a bundle (C-85). The same file twice counts once; the order means nothing.
    ///
    /// # Errors
    /// [`Fault`], accusing nobody.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        Self::read(bytes).map_err(|Malformed| Fault::nobody(Check::BundleForm))
    }

    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.magic(&BUNDLE_MAGIC)?;
        let count = reader.u32()?;
        if count > MAX_FILES {
            return Err(Malformed);
        }
        let mut files = BTreeSet::new();
        for _ in 0..count {
            let length = usize::try_from(reader.u32()?).map_err(|_| Malformed)?;
            files.insert(reader.take(length)?);
        }
        reader.finish()?;
        Ok(Self::sort(files))
    }

    /// Sorts loose files by their first bytes.
    #[must_use]
    pub fn sort(files: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bundle = Self::default();
        for file in files.into_iter().collect::<BTreeSet<_>>() {
            let kind = match file.first_chunk() {
                Some(&PLAN_MAGIC) => &mut bundle.plans,
                Some(&PRECOMMIT_MAGIC) => &mut bundle.precommits,
                Some(&DEAL_MAGIC | &REDACTED_MAGIC) => &mut bundle.deals,
                Some(&CERTIFY_MAGIC) => &mut bundle.certifies,
                Some(&COMPLAINT_MAGIC) => &mut bundle.complaints,
                Some(&CERTIFICATE_MAGIC) => &mut bundle.certificates,
                _ => &mut bundle.others,
            };
            kind.push(file);
        }
        bundle
    }
}

/// Puts files into one. `None` when there are too many, or one is too long.
#[must_use]
pub fn encode(files: &[&[u8]]) -> Option<Vec<u8>> {
    let count = u32::try_from(files.len()).ok().filter(|count| *count <= MAX_FILES)?;
    let mut out = BUNDLE_MAGIC.to_vec();
    out.extend(count.to_be_bytes());
    for file in files {
        out.extend(u32::try_from(file.len()).ok()?.to_be_bytes());
        out.extend(*file);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_85_bundle_form() {
        let refused = Err(Fault::nobody(Check::BundleForm));
        let good = encode(&[b"AGDKG1PLx", b"AGDKG1R1y", b"AGDKG1RRz", b"AGDKG1R1y", b"short"]).unwrap();
        let bundle = Bundle::parse(&good).unwrap();
        assert_eq!(bundle.plans, [b"AGDKG1PLx"]);
        assert_eq!(bundle.deals, [b"AGDKG1R1y", b"AGDKG1RRz"]);
        assert_eq!(bundle.others, [b"short"]);
        // Every kind in its place, an empty file too, and the most files that a bundle holds.
        let kinds: [&[u8]; 8] =
            [b"AGDKG1C0", b"AGDKG1CP", b"AGDKG1CT", b"AGDKG1R2", b"AGDKG1PL", b"AGDKG1RR", b"AGDKG1CD", b""];
        let all = encode(&kinds).unwrap();
        let sorted = Bundle::parse(&all).unwrap();
        assert_eq!([sorted.precommits, sorted.complaints, sorted.certificates].concat(), kinds[..3]);
        assert_eq!([sorted.certifies, sorted.plans, sorted.deals].concat(), kinds[3..6]);
        assert_eq!(sorted.others, [kinds[7], kinds[6]]);
        let most: Vec<_> = (0..65_535u16).map(u16::to_be_bytes).collect();
        let most = encode(&most.iter().map(<[u8; 2]>::as_slice).collect::<Vec<_>>()).unwrap();
        assert_eq!(Bundle::parse(&most).unwrap().others.len(), 65_535);
        for length in 0..good.len() {
            assert_eq!(Bundle::parse(&good[..length]), refused, "{length}");
        }
        assert_eq!(Bundle::parse(&[&good[..], &[0]].concat()), refused);
        // A count and a length that promise more than there is.
        assert_eq!(Bundle::parse(b"AGDKG1BN\xff\xff\xff\xff"), refused);
        assert_eq!(Bundle::parse(b"AGDKG1BN\x00\x00\x00\x01\xff\xff\xff\xff"), refused);
        // 65,536 empty files: one too many, whatever they are.
        let many = [b"AGDKG1BN\x00\x01\x00\x00".as_slice(), &[0; 4 * 65_536]].concat();
        assert_eq!(Bundle::parse(&many), refused);
        assert_eq!(encode(&vec![&[][..]; 65_536]), None);
    }
}
