#[procession::main]
fn main(arguments: Vec<String>) {
    drop(arguments);
}
