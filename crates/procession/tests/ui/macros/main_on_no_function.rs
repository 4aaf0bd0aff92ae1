#[procession::main]
struct Main;

fn main() {}
