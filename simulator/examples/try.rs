#![allow(missing_docs, clippy::unwrap_used)]
use serai_simulator::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let options = Options {
        validators: args[1].parse().unwrap(),
        cryptography: args[2].parse().unwrap(),
        faults: args[3].parse().unwrap(),
        things: args.get(7).map_or(4, |t| t.parse().unwrap()),
    };
    let (a, b): (u64, u64) = (args[4].parse().unwrap(), args[5].parse().unwrap());
    let begun = std::time::Instant::now();
    let failures = run_all(&options, a..b, args[6].parse().unwrap(), 5, |seed, result| {
        if let Ok(o) = result {
            if b - a < 30 {
                println!("{seed}: {o:?}")
            }
        } else {
            println!("{seed}: failed");
        }
    });
    println!("{:?}", begun.elapsed());
    for f in failures {
        println!("seed {} at {} ms: {}", f.seed, f.at_ms, f.what);
        let n = f.before.len();
        if std::env::var("TAIL").is_ok() {
            for l in &f.before[n.saturating_sub(80)..] {
                println!("   {l}");
            }
        }
    }
}
