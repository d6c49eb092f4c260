//! Reads the record of an earlier format as a value of today's shape.
//!
//! postcard writes no names: a struct is its fields one after another, an enum the place of its variant and then that
//! one's fields. But who reads is told the names that today's type has, so that a list of differences is enough:
//! ```text
//! bytes of format 1   call_id · attempt_id · case_id · to · trunk · questionnaire …
//! Subject of today    call_id · attempt_id · case_id · to ·         questionnaire …
//!                                                          └ LostField: it is read, and kept aside
//! Call of today       … session · trunks · interview …
//!                                 └ NewField: not in the bytes, its `#[serde(default)]` instead
//! ```
//! What postcard reads by itself needs no entry: a new variant at the end of its enum.

use postcard::de_flavors::Slice;
use postcard::{Deserializer as Postcard, Error, Result};
use serde::Deserialize;
use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

/// A difference between the shape of a format and that of the one before. `of` names the struct as serde does, or a
/// variant with named fields: `Stage::Settling`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// A field that earlier records do not have.
    NewField { of: &'static str, field: &'static str },
    /// A field that only earlier records have, in front of `before`; `take` reads it.
    LostField { of: &'static str, before: &'static str, take: fn(&mut Reader<'_>) -> Result<()> },
}

/// What stood in fields that are lost.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Format 1: the one trunk.
    pub(super) trunk: Option<String>,
}

/// A record that is being read.
pub(super) struct Reader<'de> {
    bytes: Postcard<'de, Slice<'de>>,
    /// All that has changed since its format.
    changes: Vec<Change>,
    pub(super) aside: Aside,
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8], changes: Vec<Change>) -> Self {
        Self { bytes: Postcard::from_bytes(bytes), changes, aside: Aside::default() }
    }

    /// The next value.
    pub(super) fn read<T: Deserialize<'de>>(&mut self) -> Result<T> {
        T::deserialize(self)
    }

    fn length(&mut self) -> Result<usize> {
        let length = u64::deserialize(&mut self.bytes)?;
        usize::try_from(length).map_err(|_| Error::DeserializeBadVarint)
    }

    fn is_new(&self, place: Place, name: &str) -> bool {
        let is = |change: &Change| matches!(change, Change::NewField { of, field } if place.is(of) && *field == name);
        self.changes.iter().any(is)
    }

    /// Reads what earlier records have in front of a field.
    fn take_lost(&mut self, place: Place, next: &str) -> Result<()> {
        let lost = |change: &Change| match change {
            Change::LostField { of, before, take } if place.is(of) && *before == next => Some(*take),
            Change::LostField { .. } | Change::NewField { .. } => None,
        };
        let lost: Vec<_> = self.changes.iter().filter_map(lost).collect();
        lost.into_iter().try_for_each(|take| take(self))
    }
}

/// Whose fields are read.
#[derive(Clone, Copy)]
struct Place {
    name: &'static str,
    variant: Option<&'static str>,
}

impl Place {
    fn is(self, of: &str) -> bool {
        match self.variant {
            None => self.name == of,
            Some(variant) => of.split_once("::") == Some((self.name, variant)),
        }
    }
}

/// The named fields of a struct, as far as they are there.
struct Fields<'r, 'de> {
    reader: &'r mut Reader<'de>,
    place: Place,
    names: std::slice::Iter<'static, &'static str>,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        for &name in self.names.by_ref() {
            self.reader.take_lost(self.place, name)?;
            if !self.reader.is_new(self.place, name) {
                let name: StrDeserializer<'_, Error> = name.into_deserializer();
                return seed.deserialize(name).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

/// So many values one after another: of a list, a tuple or a map.
struct Values<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Values<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Values<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant of an enum.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
    of: &'static str,
    names: &'static [&'static str],
    name: Option<&'static str>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let number = u32::deserialize(&mut self.reader.bytes)?;
        let place: U32Deserializer<Error> = number.into_deserializer();
        let name = usize::try_from(number).ok().and_then(|number| self.names.get(number)).copied();
        Ok((seed.deserialize(place)?, Self { name, ..self }))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Values { reader: self.reader, left: len })
    }

    fn struct_variant<V: Visitor<'de>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value> {
        let place = Place { name: self.of, variant: self.name };
        visitor.visit_map(Fields { reader: self.reader, place, names: names.iter() })
    }
}

/// What has the same bytes in every format.
macro_rules! as_postcard_reads {
    ($($of:ident)*) => {
        $(fn $of<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            (&mut self.bytes).$of(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    as_postcard_reads! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match u8::deserialize(&mut self.bytes)? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Error::DeserializeBadOption),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.length()?;
        visitor.visit_seq(Values { reader: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Values { reader: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_seq(Values { reader: self, left })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.length()?;
        visitor.visit_map(Values { reader: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let place = Place { name, variant: None };
        visitor.visit_map(Fields { reader: self, place, names: names.iter() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        of: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(Variant { reader: self, of, names, name: None })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Then {
        Idle,
        Busy(u32, String),
        Waiting { until: u64, why: Option<String> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Before {
        id: [u8; 3],
        lost: String,
        states: Vec<Then>,
        by_name: BTreeMap<String, i64>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Now {
        Idle,
        Busy(u32, String),
        Waiting {
            until: u64,
            #[serde(default)]
            times: u8,
            why: Option<String>,
        },
        New,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct After {
        id: [u8; 3],
        #[serde(default)]
        first: Option<u8>,
        states: Vec<Now>,
        by_name: BTreeMap<String, i64>,
        #[serde(default)]
        last: Vec<u8>,
    }

    const CHANGES: [Change; 4] = [
        Change::NewField { of: "After", field: "first" },
        Change::NewField { of: "After", field: "last" },
        Change::NewField { of: "Now::Waiting", field: "times" },
        Change::LostField {
            of: "After",
            before: "states",
            take: |reader| {
                reader.aside.trunk = Some(reader.read()?);
                Ok(())
            },
        },
    ];

    #[test]
    fn what_is_new_has_its_default_and_what_is_lost_is_kept_aside() {
        let before = Before {
            id: [1, 2, 3],
            lost: "a trunk".to_owned(),
            states: vec![
                Then::Waiting { until: 1 << 40, why: Some("so".to_owned()) },
                Then::Busy(7, "x".to_owned()),
                Then::Idle,
            ],
            by_name: BTreeMap::from([("a".to_owned(), -5), ("b".to_owned(), 6)]),
        };
        let bytes = postcard::to_stdvec(&before).unwrap();
        let mut reader = Reader::new(&bytes, CHANGES.to_vec());
        let after: After = reader.read().unwrap();
        assert_eq!(
            after,
            After {
                id: [1, 2, 3],
                first: None,
                states: vec![
                    Now::Waiting { until: 1 << 40, times: 0, why: Some("so".to_owned()) },
                    Now::Busy(7, "x".to_owned()),
                    Now::Idle,
                ],
                by_name: before.by_name.clone(),
                last: Vec::new(),
            }
        );
        assert_eq!(reader.aside.trunk.as_deref(), Some("a trunk"));
        for cut in 0..bytes.len() {
            let cut = bytes.get(..cut).unwrap();
            assert!(Reader::new(cut, CHANGES.to_vec()).read::<After>().is_err(), "{cut:?}");
        }
    }

    #[test]
    fn a_field_that_is_in_the_bytes_is_no_default() {
        let after = After {
            id: [0; 3],
            first: Some(1),
            states: vec![Now::New],
            by_name: BTreeMap::new(),
            last: vec![9],
        };
        let bytes = postcard::to_stdvec(&after).unwrap();
        assert_eq!(Reader::new(&bytes, Vec::new()).read::<After>().unwrap(), after);
    }
}
