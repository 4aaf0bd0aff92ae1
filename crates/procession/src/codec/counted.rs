//! Sequences that are no longer than their bytes.
//!
//! A compact format says how many elements follow and then lists them. Where an element has no bytes (a
//! `()`, a struct whose fields are all skipped) nothing but that number ends the list: ten bytes of
//! nonsense would have the reader make 2^64 of them. So decoding goes through a layer that looks at each
//! element, and counts those for which nothing was read. A value may have [`EMPTY_MAX`] of them, however
//! nested; all others are bounded by their bytes.

use super::flavor::Source;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use std::fmt;

/// Most elements without bytes in one value, in all of its sequences and maps together.
pub(super) const EMPTY_MAX: u32 = 1 << 20;

/// A deserializer, or something that one hands out or is handed, on whose behalf elements are counted.
#[derive(Debug)]
pub(super) struct Counted<'de, T> {
    inner: T,
    source: &'de Source<'de>,
    /// Whether the parts of what `inner` visits are as many as the bytes say, and not as the type.
    counts: bool,
}

impl<'de, T> Counted<'de, T> {
    /// Counts for `inner`, which reads from this source.
    #[inline]
    pub(super) fn new(inner: T, source: &'de Source<'de>) -> Self {
        Self { inner, source, counts: false }
    }

    /// The same for a visitor of as many parts as the bytes say.
    #[inline]
    fn listing(inner: T, source: &'de Source<'de>) -> Self {
        Self { inner, source, counts: true }
    }

    /// Checks an element before which so many bytes were left.
    #[inline]
    fn check<E: Error>(&self, left_before: usize) -> Result<(), E> {
        if self.counts && self.source.left() == left_before && !self.source.note_empty(EMPTY_MAX) {
            return Err(E::custom("too many elements without bytes"));
        }
        Ok(())
    }
}

/// Methods of a deserializer whose visitor gets nothing with parts.
macro_rules! hand_on {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

/// Methods of a deserializer whose visitor gets something with parts.
macro_rules! hand_on_parts {
    ($($how:ident $method:ident($($argument:ident: $type:ty),*);)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* Counted::$how(visitor, self.source))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Counted<'de, D> {
    type Error = D::Error;

    hand_on! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    hand_on_parts! {
        listing deserialize_any();
        new deserialize_option();
        new deserialize_unit_struct(name: &'static str);
        new deserialize_newtype_struct(name: &'static str);
        listing deserialize_seq();
        new deserialize_tuple(len: usize);
        new deserialize_tuple_struct(name: &'static str, len: usize);
        listing deserialize_map();
        new deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        new deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Methods of a visitor that get a value with nothing in it.
macro_rules! visit {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Counted<'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool: bool,
        visit_i8: i8,
        visit_i16: i16,
        visit_i32: i32,
        visit_i64: i64,
        visit_i128: i128,
        visit_u8: u8,
        visit_u16: u16,
        visit_u32: u32,
        visit_u64: u64,
        visit_u128: u128,
        visit_f32: f32,
        visit_f64: f64,
        visit_char: char,
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
        visit_bytes: &[u8],
        visit_borrowed_bytes: &'de [u8],
        visit_byte_buf: Vec<u8>,
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Counted::new(deserializer, self.source))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Counted::new(deserializer, self.source))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        let Self { inner, source, counts } = self;
        inner.visit_seq(Counted { inner: seq, source, counts })
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Self { inner, source, counts } = self;
        inner.visit_map(Counted { inner: map, source, counts })
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Counted::new(data, self.source))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Counted<'de, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Counted::new(deserializer, self.source))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Counted<'de, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let left = self.source.left();
        let element = self.inner.next_element_seed(Counted::new(seed, self.source))?;
        if element.is_some() {
            self.check(left)?;
        }
        Ok(element)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Counted<'de, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let left = self.source.left();
        let key = self.inner.next_key_seed(Counted::new(seed, self.source))?;
        if key.is_some() {
            self.check(left)?;
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Counted::new(seed, self.source))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Counted<'de, A> {
    type Error = A::Error;
    type Variant = Counted<'de, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Counted::new(variant, self.source)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Counted<'de, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Counted::new(seed, self.source))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Counted::new(visitor, self.source))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Counted::new(visitor, self.source))
    }
}
