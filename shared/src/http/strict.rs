//! JSON in the one way that the contract has it: an object is written as an object, and each of
//! its members is given once.
//!
//! serde would also take the last of several members of one name, and in the place of an object a
//! list of its values. Whatever else reads the same bytes, a firewall or a proxy, may read another
//! request then.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserialize, Deserializer, Error as _, IntoDeserializer, Unexpected};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value};

/// A value without a member that is given twice. That one is an error of the kind `Data`, the only
/// one that there is of this kind.
pub(super) struct Unique(pub(super) Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                // As an error of the member, so that its path is known.
                match members.next_value::<GivenTwice>()? {}
            }
            let Unique(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// Nothing can be read as this.
enum GivenTwice {}

impl<'de> Deserialize<'de> for GivenTwice {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("is given twice"))
    }
}

/// Reads a value into what is expected; only an object into a struct.
pub(super) struct Strict(pub(super) Value);

impl<'de> Deserializer<'de> for Strict {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Self));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name, Self(value)));
                let mut members = MapDeserializer::new(members);
                let value = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(value)
            }
            value => value.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.0.is_array() {
            return Err(de::Error::invalid_type(Unexpected::Seq, &visitor));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(Self(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Line {
        sku: String,
        #[serde(default)]
        price: Option<Price>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Price {
        amount: i64,
    }

    fn unique(text: &str) -> Result<Value, Error> {
        serde_json::from_str(text).map(|Unique(value)| value)
    }

    fn strict(text: &str) -> Result<Vec<Line>, Error> {
        Vec::deserialize(Strict(serde_json::from_str(text)?))
    }

    #[test]
    fn value_without_a_repeated_member_is_the_same() {
        let text = r#"{"a":[1,-2,0.5,"x",true,null,{"b":{}}],"c":18446744073709551615}"#;
        assert_eq!(unique(text).unwrap().to_string(), text);
    }

    #[test]
    fn repeated_member_is_the_only_error_of_its_kind() {
        for (text, is_data) in [
            (r#"{"a":1,"a":1}"#, true),
            (r#"{"a":[{"b":1,"c":2,"b":3}]}"#, true),
            (r#"{"a":1,"\u0061":1}"#, true),
            (r#"{"a":1,"a""#, false),
            (r#"{"a":1,}"#, false),
            (r#"{"a":1e999}"#, false),
            ("\"\\ud800\"", false),
            (&"[".repeat(10_000), false),
            ("", false),
        ] {
            assert_eq!(unique(text).unwrap_err().is_data(), is_data, "{text:.40}");
        }
    }

    #[test]
    fn struct_is_read_from_an_object_only() {
        let line = |price| Line {
            sku: "A".to_owned(),
            price,
        };
        let read = strict(r#"[{"sku":"A","price":{"amount":3}},{"sku":"A"}]"#).unwrap();
        assert_eq!(read, [line(Some(Price { amount: 3 })), line(None)]);
        for bad in [
            r#"[["A",null]]"#,
            r#"[{"sku":"A","price":[3]}]"#,
            r#"[{"sku":["A"]}]"#,
            r#"[3]"#,
        ] {
            assert!(strict(bad).is_err(), "{bad}");
        }
    }
}
