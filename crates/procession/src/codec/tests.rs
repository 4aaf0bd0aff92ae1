use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Debug;

fn encode<T: Serialize + 'static>(value: &T) -> Vec<u8> {
    let mut output = Output::new(Vec::new(), None);
    encode_value(value, &mut output).unwrap();
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
    fn plain_vectors_survive(bytes: Vec<u8>, floats: Vec<f64>, wide: Vec<i128>) {
        round_trip(&bytes);
        let bits: Vec<u64> = floats.iter().map(|float| float.to_bits()).collect();
        round_trip(&bits);
        round_trip(&wide);
    }

    #[test]
    fn nested_values_survive(value: BTreeMap<String, Vec<(Option<i32>, String)>>) {
        round_trip(&value);
    }

    #[test]
    fn any_bytes_decode_or_fail(bytes: Vec<u8>) {
        // Whatever a worker sends, nothing panics and nothing large is allocated.
        let _ = decode_value::<Vec<u64>>(&mut Input::Slice(&bytes));
        let _ = decode_value::<Vec<String>>(&mut Input::Slice(&bytes));
        let _ = decode_value::<BTreeMap<String, Vec<u32>>>(&mut Input::Slice(&bytes));
        let _ = decode_value::<Described<serde_json::Value>>(&mut Input::Slice(&bytes));
    }
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
    assert!(error.to_string().contains("1 bytes are left over"), "{error}");
}

#[test]
fn a_length_beyond_the_bytes_is_refused_before_it_is_allocated() {
    let bytes = u64::MAX.to_le_bytes();
    let error = decode_value::<Vec<f64>>(&mut Input::Slice(&bytes)).unwrap_err();
    assert!(error.to_string().contains("end too soon"), "{error}");
}
