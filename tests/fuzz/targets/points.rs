//! Keys and signatures as bytes: one encoding each, nothing outside the subgroup, and signatures that only one key makes.
#![no_main]

use dvkey_ceremony::bls::{PointError, SecretKeyError, SignedMessage};
use dvkey_ceremony::{PublicKey, SecretKey, Signature};
use dvkey_fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// The modulus of the base field. A coordinate that is this much larger would be the same point.
const P: [u8; 48] = [
    0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7, //
    0x64, 0x77, 0x4b, 0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24, //
    0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53, 0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab,
];

fuzz_target!(|bytes: &[u8]| {
    public_key(bytes);
    signature(bytes);
    let mut input = Input(bytes);
    public_key(&input.array::<48>());
    signature(&input.array::<96>());

    let mut input = Input(bytes);
    let secret: [u8; 32] = input.array();
    let key = match SecretKey::from_be_bytes(&secret) {
        Ok(key) => key,
        Err(SecretKeyError::Zero) => return assert_eq!(secret, [0; 32]),
        Err(SecretKeyError::NotBelowOrder) => return assert!(secret[0] >= 0x73),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(*key.to_be_bytes(), secret);
    assert_eq!(SecretKey::from_scalar(&key.to_scalar()).map(|key| *key.to_be_bytes()), Some(secret));
    assert_eq!(key.to_hex().expose(), dvkey_fuzz::hex(&secret).as_bytes());
    let public = key.public_key();
    assert_eq!(PublicKey::from_bytes(public.as_bytes()), Ok(public));
    let message = input.take(40);
    let signed = key.sign(message);
    assert_eq!(Signature::from_bytes(signed.as_bytes()).map(|read| *read.as_bytes()), Ok(*signed.as_bytes()));
    assert!(signed.verify(&public, message));
    assert!(!signed.verify(&public, &[message, b"."].concat()));
    let statement = SignedMessage { public_key: &public, message, signature: &signed };
    assert!(Signature::verify_all(&[statement]));

    // The same points written otherwise, or other points.
    if let Some(alias) = plus_p(public.as_bytes()) {
        assert_eq!(PublicKey::from_bytes(&alias), Err(PointError::NotOnCurve));
    }
    let (high, low) = signed.as_bytes().split_at(48);
    for alias in [plus_p(high).map(|high| [&high, low].concat()), plus_p(low).map(|low| [high, &low].concat())] {
        assert!(alias.is_none_or(|alias| Signature::from_bytes(&alias).is_err()));
    }
    let (at, with) = (input.below(96), input.byte());
    let mut changed = *public.as_bytes();
    changed[at % 48] ^= with;
    if let Some(other) = public_key(&changed) {
        // Only the sign can be turned and leave a point of the subgroup.
        assert!(other == public || (at % 48, with) == (0, 0x20));
        assert!(other == public || !signed.verify(&other, message));
    }
    let mut changed = *signed.as_bytes();
    changed[at] ^= with;
    if let Some(other) = signature(&changed) {
        assert!(with == 0 || (at, with) == (0, 0x20));
        assert_eq!(other.verify(&public, message), with == 0);
        let both = [
            SignedMessage { public_key: &public, message, signature: &signed },
            SignedMessage { public_key: &public, message, signature: &other },
        ];
        assert_eq!(Signature::verify_all(&both), with == 0);
    }
});

fn public_key(bytes: &[u8]) -> Option<PublicKey> {
    let key = PublicKey::from_bytes(bytes).ok()?;
    assert_eq!(key.as_bytes().as_slice(), bytes);
    assert_eq!(key.to_string(), format!("0x{}", dvkey_fuzz::hex(bytes)));
    // Compressed, and not infinity.
    assert_eq!(bytes[0] >> 6, 0b10);
    Some(key)
}

fn signature(bytes: &[u8]) -> Option<Signature> {
    let signature = Signature::from_bytes(bytes).ok()?;
    assert_eq!(signature.as_bytes().as_slice(), bytes);
    assert_eq!(bytes[0] >> 6, 0b10);
    Some(signature)
}

/// The coordinate plus the modulus under the same flags, where that fits into 381 bits.
fn plus_p(coordinate: &[u8]) -> Option<[u8; 48]> {
    let mut sum = [0; 48];
    sum.copy_from_slice(coordinate);
    let flags = sum[0] & 0xe0;
    sum[0] &= 0x1f;
    let mut carry = 0u16;
    for (byte, p) in sum.iter_mut().zip(P).rev() {
        carry += u16::from(*byte) + u16::from(p);
        *byte = carry as u8;
        carry >>= 8;
    }
    (sum[0] & 0xe0 == 0).then(|| {
        sum[0] |= flags;
        sum
    })
}
