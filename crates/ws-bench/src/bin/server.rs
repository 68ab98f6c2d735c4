//! An echo server: `server STACK`. The benchmark `echo` starts it.

fn main() -> std::io::Result<()> {
    ws_bench::server::run(|| 0)
}
