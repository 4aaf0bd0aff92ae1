use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Debug;

fn encode<T: Serialize + 'static>(value: &T) -> Vec<u8> {
    let mut output = Output::new(Vec::new(), None);
    encode_argument(value, &mut output).unwrap();
    std::mem::take(output.bytes())
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: &T) {
    let bytes = encode(value);
    let mut input = Input::Slice(&bytes);
    assert_eq!(&decode_value::<T>(&mut input).unwrap(), value);
    finish::<T>(&input).unwrap();
}

proptest! {
    #[test]
    fn plain_vectors_survive(bytes: Vec<u8>, words: Vec<u64>, wide: Vec<i128>, sizes: Vec<usize>) {
        round_trip(&bytes);
        round_trip(&words);
        round_trip(&wide);
        round_trip(&sizes);
    }

    #[test]
    fn every_bit_of_a_float_survives(bits: Vec<u64>) {
        let floats: Vec<f64> = bits.iter().map(|bits| f64::from_bits(*bits)).collect();
        let bytes = encode(&floats);
        let decoded: Vec<f64> = decode_value(&mut Input::Slice(&bytes)).unwrap();
        assert_eq!(decoded.iter().map(|float| float.to_bits()).collect::<Vec<_>>(), bits);
    }

    #[test]
    fn nested_values_survive(value in nested()) {
        round_trip(&value);
        round_trip(&Described(value));
    }

    #[test]
    fn any_bytes_decode_or_fail(bytes in vec(any::<u8>(), 0..64)) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn spoilt_bytes_decode_or_fail(value in nested(), place: Index, bits in 1_u8..) {
        let mut bytes = encode(&value);
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        decode_as_everything(&bytes);
        decode_as_everything(&bytes[..place]);
    }
}

type Nested = BTreeMap<String, Vec<(Option<i32>, String)>>;

/// Small, for they are made by the hundred.
fn nested() -> impl Strategy<Value = Nested> {
    btree_map("[a-zß]{0,4}", vec((any::<Option<i32>>(), "\\PC{0,4}"), 0..4), 0..4)
}

/// Whatever a worker sends, nothing panics and nothing large is allocated.
fn decode_as_everything(bytes: &[u8]) {
    drop(decode_value::<Vec<u64>>(&mut Input::Slice(bytes)));
    drop(decode_value::<Vec<String>>(&mut Input::Slice(bytes)));
    drop(decode_value::<Nested>(&mut Input::Slice(bytes)));
    drop(decode_value::<Described<serde_json::Value>>(&mut Input::Slice(bytes)));
    drop(decode_value::<crate::RemoteError>(&mut Input::Slice(bytes)));
}

#[test]
fn a_json_value_needs_a_description_and_the_error_says_so() {
    let value = serde_json::json!({"a": [1, 2.5, null], "b": "text"});
    round_trip(&Described(value.clone()));
    round_trip(&vec![(7_u8, Described(value.clone()))]);
    let bytes = encode(&value);
    let error = decode_value::<serde_json::Value>(&mut Input::Slice(&bytes)).unwrap_err();
    assert!(error.to_string().contains("procession::Described"), "{error}");
    assert!(error.to_string().contains("serde_json::value::Value"), "{error}");
}

#[test]
fn left_over_bytes_are_an_error() {
    let bytes = encode(&(1_u8, 2_u8));
    let mut input = Input::Slice(&bytes);
    decode_value::<u8>(&mut input).unwrap();
    let error = finish::<u8>(&input).unwrap_err();
    assert!(error.to_string().contains("bytes left over: 1"), "{error}");
}

#[test]
fn a_length_beyond_the_bytes_is_refused_before_it_is_allocated() {
    let bytes = u64::MAX.to_le_bytes();
    let error = decode_value::<Vec<f64>>(&mut Input::Slice(&bytes)).unwrap_err();
    assert!(error.to_string().contains("end too soon"), "{error}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Tree>);

#[test]
fn a_tree_survives_but_an_endless_one_is_an_error_and_not_a_stack_overflow() {
    round_trip(&Tree(vec![Tree(vec![]), Tree(vec![Tree(vec![])])]));
    let bytes = vec![1; 1 << 20];
    let error = decode_value::<Tree>(&mut Input::Slice(&bytes)).unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

#[test]
fn what_a_type_says_when_it_cannot_be_encoded_is_told() {
    struct Moody;

    impl Serialize for Moody {
        fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not on a Tuesday"))
        }
    }

    let mut output = Output::new(Vec::new(), None);
    let error = encode_argument(&vec![Moody], &mut output).unwrap_err();
    assert!(error.to_string().contains("Moody>`: not on a Tuesday"), "{error}");
    let error = encode_argument(&Described(Moody), &mut output).unwrap_err();
    assert!(error.to_string().contains("not on a Tuesday"), "{error}");
}

#[test]
fn a_sequence_of_unknown_length_needs_a_description_and_the_error_says_so() {
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
            s.collect_seq([1, 2, 3].iter().filter(|number| **number != 2))
        }
    }

    let mut output = Output::new(Vec::new(), None);
    let error = encode_argument(&Endless, &mut output).unwrap_err();
    assert!(error.to_string().contains("procession::Described"), "{error}");
    encode_argument(&Described(Endless), &mut output).unwrap();
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    first: Option<u8>,
    second: String,
}

#[test]
fn skipped_fields_need_a_description_and_the_error_says_so() {
    let value = Sparse { first: None, second: String::new() };
    let bytes = encode(&value);
    let error = decode_value::<Sparse>(&mut Input::Slice(&bytes)).unwrap_err();
    assert!(error.to_string().contains("procession::Described"), "{error}");
    round_trip(&Described(value));
}
