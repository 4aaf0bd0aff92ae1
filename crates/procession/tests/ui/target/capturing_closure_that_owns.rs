use procession::Pool;

#[procession::main]
fn main() -> procession::Result<()> {
    let name = String::from("world");
    let pool = Pool::new(1)?;
    pool.apply_async(move |x: u64| format!("{name}{x}"), (1_u64,))
        .get()
        .map(drop)
}
