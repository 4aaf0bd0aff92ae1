use super::*;

#[test]
fn build_ids_become_identities_byte_by_byte() {
    let identity = Identity::of_build_id(&[0xab; 20]);
    assert_eq!(identity.as_bytes()[0], Kind::BuildId as u8);
    assert_eq!(identity.as_bytes()[1..21], [0xab; 20]);
    assert_eq!(identity.as_bytes()[21..], [0; 11]);
}

#[test]
fn long_build_ids_are_told_apart() {
    let long = Identity::of_build_id(&[1; 32]);
    assert_eq!(long.as_bytes()[0], Kind::LongBuildId as u8);
    assert_eq!(long, Identity::of_build_id(&[1; 32]));
    assert_ne!(long, Identity::of_build_id(&[2; 32]));
    assert_ne!(long, Identity::of_build_id(&[1; 33]));
}

#[test]
fn contents_are_told_apart_by_every_byte_and_the_length() {
    let of = |contents: &[u8]| Identity::of_contents(contents).expect("memory can be read");
    let contents = vec![7; 100_000];
    let mut changed = contents.clone();
    changed[99_999] = 8;
    assert_eq!(of(&contents), of(&contents));
    assert_ne!(of(&contents), of(&changed));
    assert_ne!(of(&contents), of(&contents[..99_999]));
    assert_eq!(of(&[]).as_bytes()[0], Kind::Contents as u8);
}

#[test]
fn an_image_without_a_build_id_is_known_by_its_file() {
    let image = |file| Image { build_id: None, code: Vec::new(), file };
    let file = std::env::current_exe().expect("the test has a file");
    let known = identify(Some(&image(file)));
    assert_eq!(known.as_bytes()[0], Kind::Contents as u8);
    assert_eq!(known, identify(None), "nothing is known but the executable");

    let missing = image(PathBuf::from("/no such directory/image"));
    let unknown = identify(Some(&missing));
    assert_eq!(unknown.as_bytes()[0], Kind::Unknown as u8);
    assert_ne!(unknown, identify(Some(&missing)), "unknown equals nothing");
}

#[test]
fn identities_cross_as_bytes_and_show_as_hex() {
    let identity = Identity::of_build_id(&[0x0f, 0xa0]);
    assert_eq!(Identity::from_bytes(*identity.as_bytes()), identity);
    let hex = identity.to_string();
    assert_eq!(hex.len(), 64);
    assert!(hex.starts_with("010fa000"), "{hex}");
}
