//! Sharing polynomials over the scalar field, and Lagrange interpolation at zero.

use std::fmt;

use rand_core::TryCryptoRng;

use crate::identifier::Identifier;
use crate::scalar::Scalar;
use crate::threshold::Threshold;

/// `p(x) = a_0 + a_1 x + … + a_(t-1) x^(t-1)` modulo r. Every coefficient is secret; a_0 is the key.
pub struct Polynomial(Vec<Scalar>);

impl Polynomial {
    /// Draws a polynomial of `threshold.t()` coefficients through `(0, constant)`; the others uniform in 0…r-1.
    ///
    /// # Errors
    /// Whatever the source of randomness reports.
    pub fn random<R: TryCryptoRng + ?Sized>(
        constant: Scalar,
        threshold: Threshold,
        rng: &mut R,
    ) -> Result<Self, R::Error> {
        // Reserved in full: a vector that grows would leave coefficients behind in freed memory.
        let mut coefficients = Vec::with_capacity(threshold.t());
        coefficients.push(constant);
        for _ in 1..threshold.t() {
            coefficients.push(Scalar::random(rng)?);
        }
        Ok(Self(coefficients))
    }

    /// A polynomial with these coefficients, constant first.
    #[must_use]
    pub fn from_coefficients(coefficients: Vec<Scalar>) -> Self {
        Self(coefficients)
    }

    /// `p(x)`, by Horner's rule.
    #[must_use]
    pub fn evaluate(&self, x: Identifier) -> Scalar {
        let x = x.to_scalar();
        self.0.iter().rev().fold(Scalar::zero(), |sum, coefficient| sum.mul(&x).add(coefficient))
    }
}

/// Two identifiers of one sharing are the same.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("identifier {0} stands twice")]
pub struct DuplicateIdentifier(pub Identifier);

/// Lagrange interpolation at zero over any subset of a fixed list of identifiers.
///
/// For identifiers x_0…x_(n-1) the n × n table holds `x_j / (x_j - x_i)` in row i, column j, so that the coefficient of
/// share i within a subset S is the product of row i over the other members of S. Everything here is public.
pub struct LagrangeTable {
    identifiers: Vec<Identifier>,
    rows: Vec<Vec<Scalar>>,
}

impl LagrangeTable {
    /// Prepares the table.
    ///
    /// # Errors
    /// [`DuplicateIdentifier`] when one stands twice.
    pub fn new(identifiers: &[Identifier]) -> Result<Self, DuplicateIdentifier> {
        let mut rows = Vec::with_capacity(identifiers.len());
        for (i, x_i) in identifiers.iter().enumerate() {
            let mut row = Vec::with_capacity(identifiers.len());
            for (j, x_j) in identifiers.iter().enumerate() {
                row.push(if i == j {
                    Scalar::one()
                } else {
                    let numerator = x_j.to_scalar();
                    let difference = numerator.sub(&x_i.to_scalar());
                    numerator.mul(&difference.invert().ok_or(DuplicateIdentifier(*x_i))?)
                });
            }
            rows.push(row);
        }
        Ok(Self { identifiers: identifiers.to_vec(), rows })
    }

    /// The identifiers, in the order of the table.
    #[must_use]
    pub fn identifiers(&self) -> &[Identifier] {
        &self.identifiers
    }

    /// `p(0)` from the values at the table's positions in `subset`.
    ///
    /// `values` has one value for each identifier of the table; `subset` holds positions, each once. Positions outside
    /// the table contribute nothing.
    #[must_use]
    pub fn interpolate_at_zero(&self, subset: &[usize], values: &[Scalar]) -> Scalar {
        let mut sum = Scalar::zero();
        for i in subset {
            let (Some(row), Some(value)) = (self.rows.get(*i), values.get(*i)) else { continue };
            let coefficient =
                subset.iter().filter_map(|j| row.get(*j)).fold(Scalar::one(), |product, factor| product.mul(factor));
            sum = sum.add(&coefficient.mul(value));
        }
        sum
    }
}

impl fmt::Debug for LagrangeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LagrangeTable").field(&self.identifiers).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subtle::ConstantTimeEq;

    fn identifiers(values: &[u64]) -> Vec<Identifier> {
        values.iter().map(|value| Identifier::try_from(*value).unwrap()).collect()
    }

    #[test]
    fn evaluates_by_hand() {
        // 7 + 3x + 2x^2 at 5 is 72.
        let p = Polynomial::from_coefficients([7, 3, 2].map(Scalar::from_u64).into());
        let value = p.evaluate(Identifier::try_from(5).unwrap());
        assert!(bool::from(value.ct_eq(&Scalar::from_u64(72))));
    }

    #[test]
    fn interpolates_what_was_evaluated() {
        let ids = identifiers(&[12, 1 << 32, (1 << 53) + 1, u64::MAX]);
        let p = Polynomial::from_coefficients([99, 3, 2].map(Scalar::from_u64).into());
        let values: Vec<_> = ids.iter().map(|id| p.evaluate(*id)).collect();
        let table = LagrangeTable::new(&ids).unwrap();
        let at_zero = |subset: &[usize]| table.interpolate_at_zero(subset, &values);
        for subset in [&[0, 1, 2][..], &[3, 1, 0], &[1, 2, 3], &[0, 1, 2, 3]] {
            assert!(bool::from(at_zero(subset).ct_eq(&Scalar::from_u64(99))), "{subset:?}");
        }
        assert!(!bool::from(at_zero(&[0, 1]).ct_eq(&Scalar::from_u64(99))));
    }

    #[test]
    fn duplicates_are_refused() {
        let ids = identifiers(&[4, 9, 4]);
        assert_eq!(LagrangeTable::new(&ids).err(), Some(DuplicateIdentifier(ids[0])));
    }
}
