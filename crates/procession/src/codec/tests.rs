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

/// A struct of which nothing is encoded, but which takes memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Hollow {
    #[serde(skip)]
    number: u64,
}

#[test]
fn elements_without_bytes_are_as_many_as_there_were() {
    let most = counted::EMPTY_MAX as usize;
    round_trip(&vec![(); most]);
    round_trip(&vec![Hollow::default(); 1000]);
    round_trip(&vec![vec![(); 10]; 10]);
    round_trip(&vec![(1_u8, (), Some(())); 1000]);
    round_trip(&BTreeMap::from([((), vec![Hollow::default()])]));
    round_trip(&Described(vec![(); 1000]));
    let bytes = encode(&vec![(); most + 1]);
    let error = decode_value::<Vec<()>>(&mut Input::Slice(&bytes)).unwrap_err();
    assert!(error.to_string().contains("encoded as nothing"), "{error}");
}

/// Ten bytes that say that 2^64 - 1 elements follow would take for ever, or all the memory.
#[test]
fn a_length_without_bytes_is_refused_in_time() {
    let endless = [[0xff; 9].as_slice(), &[1]].concat();
    let fails = |error: CodecError| assert!(error.to_string().contains("encoded as nothing"));
    fails(decode_value::<Vec<()>>(&mut Input::Slice(&endless)).unwrap_err());
    fails(decode_value::<Vec<Hollow>>(&mut Input::Slice(&endless)).unwrap_err());
    fails(
        decode_value::<Option<Vec<[(); 3]>>>(&mut Input::Slice(&prefixed(1, &endless)))
            .unwrap_err(),
    );
    fails(decode_value::<BTreeMap<(), ()>>(&mut Input::Slice(&endless)).unwrap_err());
    fails(decode_value::<Holder>(&mut Input::Slice(&prefixed(1, &endless))).unwrap_err());
    // Each of many sequences is within the bound, together they are not.
    let many = [vec![100], [0xff, 0xff, 0x1f].repeat(100)].concat();
    fails(decode_value::<Vec<Vec<()>>>(&mut Input::Slice(&many)).unwrap_err());
    assert!(decode_value::<Vec<String>>(&mut Input::Slice(&endless)).is_err());
}

/// Where a sequence may stand: behind a name, in a variant, in a newtype.
#[derive(Debug, Serialize, Deserialize)]
enum Holder {
    Nothing,
    Some { newtype: Newtype },
}

#[derive(Debug, Serialize, Deserialize)]
struct Newtype(Vec<()>);

fn prefixed(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first], rest].concat()
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
    second: u8,
    third: Vec<u8>,
}

/// Without its first field its bytes are those of another value.
fn sparse() -> Sparse {
    Sparse { first: None, second: 1, third: vec![7, 1, 9] }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Sparsely {
    Named {
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        first: Vec<u8>,
        second: u8,
    },
    Wrapped(Sparse),
    Listed(u8, Sparse),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper(Sparse);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Listing(u8, Sparse);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nesting {
    inside: Option<Box<Sparse>>,
}

fn needs_a_description<T>(value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    let mut output = Output::new(Vec::new(), None);
    let refusals = [encode_argument(&value, &mut output), encode_result(&value, &mut output)];
    for refusal in refusals {
        let text = refusal.unwrap_err().to_string();
        let start = format!("cannot encode a value of type `{}`: ", type_name::<T>());
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains("the field `first` is left out"), "{text}");
        assert!(text.contains("procession::Described"), "{text}");
    }
    round_trip(&Described(value));
}

#[test]
fn skipped_fields_would_arrive_as_another_value() {
    let bytes = postcard::to_allocvec(&sparse()).unwrap();
    let arrived = postcard::from_bytes::<Sparse>(&bytes).unwrap();
    assert_eq!(arrived, Sparse { first: Some(3), second: 7, third: vec![9] });
}

#[test]
fn skipped_fields_need_a_description_and_the_error_says_so() {
    needs_a_description(sparse());
    needs_a_description(Some(sparse()));
    needs_a_description(vec![Sparse { first: Some(1), ..sparse() }, sparse()]);
    needs_a_description((1_u8, sparse()));
    needs_a_description(BTreeMap::from([(1_u8, sparse())]));
    needs_a_description(Wrapper(sparse()));
    needs_a_description(Listing(1, sparse()));
    needs_a_description(Sparsely::Named { first: vec![], second: 1 });
    needs_a_description(Sparsely::Wrapped(sparse()));
    needs_a_description(Sparsely::Listed(1, sparse()));
    needs_a_description(Nesting { inside: Some(Box::new(sparse())) });
    round_trip(&vec![Described(sparse())]);
}

#[test]
fn shared_data_does_not_leave_fields_out_either() {
    let error = crate::Shared::new(sparse()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("procession::Described"), "{error}");
    assert_eq!(*crate::Shared::new(Described(sparse())).unwrap(), Described(sparse()));
}

#[test]
fn a_field_that_could_be_skipped_but_is_not_survives() {
    round_trip(&Sparse { first: Some(3), ..sparse() });
    round_trip(&Sparsely::Named { first: vec![1], second: 2 });
}

#[test]
fn what_does_not_decode_names_the_description() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pair(u8, #[serde(skip_serializing_if = "Option::is_none", default)] Option<u8>);

    round_trip(&Described(Pair(1, None)));
    let bytes = encode(&Pair(1, None));
    for error in [
        decode_value::<Pair>(&mut Input::Slice(&bytes)).unwrap_err(),
        decode_value::<Option<u8>>(&mut Input::Slice(&[9])).unwrap_err(),
        decode_value::<std::num::NonZeroU8>(&mut Input::Slice(&[0])).unwrap_err(),
        decode_value::<String>(&mut Input::Slice(&[1, 0xff])).unwrap_err(),
    ] {
        assert!(error.to_string().contains("procession::Described"), "{error}");
    }
}

/// All that serde's data model has, in a form that a compact format carries.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Everything {
    #[serde(default)]
    defaulted: Option<String>,
    truth: bool,
    narrow: (i8, i16, i32, i64, u8, u16, u32, u64),
    wide: (i128, u128),
    real: (f32, f64),
    letter: char,
    nothing: ((), Unit),
    /// Goes through `serialize_bytes`.
    bytes: std::ffi::CString,
    address: Option<std::net::IpAddr>,
    shapes: Vec<Shape>,
    named: BTreeMap<String, Box<Everything>>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(String),
    Tuple(u8, Option<Box<Shape>>),
    Struct { left: u16, right: BTreeMap<u8, [char; 2]> },
}

fn everything() -> Everything {
    Everything {
        defaulted: Some("text".into()),
        truth: true,
        narrow: (-1, -300, i32::MIN, i64::MIN, 255, 65_535, u32::MAX, u64::MAX),
        wide: (i128::MIN, u128::MAX),
        real: (1.5, -2.25),
        letter: 'ß',
        nothing: ((), Unit),
        bytes: c"bytes".into(),
        address: Some([127, 0, 0, 1].into()),
        shapes: vec![
            Shape::Unit,
            Shape::Newtype("new".into()),
            Shape::Tuple(1, Some(Box::new(Shape::Tuple(2, None)))),
            Shape::Struct { left: 3, right: BTreeMap::from([(4, ['a', 'é'])]) },
        ],
        named: BTreeMap::from([("inner".into(), Box::default())]),
    }
}

#[test]
fn everything_that_is_encoded_whole_survives_and_has_the_bytes_that_postcard_gives_it() {
    let value = everything();
    round_trip(&value);
    assert_eq!(encode(&value), postcard::to_allocvec(&value).unwrap());
    round_trip(&Described(value));
}

#[test]
fn what_is_formatted_while_it_is_encoded_survives() {
    struct Formatted(u32);

    impl Serialize for Formatted {
        fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
            assert!(!s.is_human_readable());
            s.collect_str(&format_args!("<{}>", self.0))
        }
    }

    let bytes = encode(&Formatted(42));
    assert_eq!(decode_value::<String>(&mut Input::Slice(&bytes)).unwrap(), "<42>");
}

#[test]
fn fields_that_are_never_encoded_come_back_as_their_defaults() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Cached {
        #[serde(skip)]
        cache: Vec<u8>,
        #[serde(skip_serializing, skip_deserializing)]
        other: Option<u8>,
        kept: u8,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Choice {
        Named {
            #[serde(skip)]
            cache: u8,
            kept: u8,
        },
        Listed(#[serde(skip)] u8, u8),
    }

    let arrives = |value: (Cached, Choice, Choice)| {
        let bytes = encode(&value);
        decode_value::<(Cached, Choice, Choice)>(&mut Input::Slice(&bytes)).unwrap()
    };
    let value = |cache: Vec<u8>, other, number| {
        let choices = (Choice::Named { cache: number, kept: 5 }, Choice::Listed(number, 6));
        (Cached { cache, other, kept: 4 }, choices.0, choices.1)
    };
    assert_eq!(arrives(value(vec![1], Some(2), 3)), value(vec![], None, 0));
}
