//! The program as a container runs it.

#[cfg(test)]
mod service {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::process::{Child, Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    fn quotes(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quotes"));
        command.args(arguments).env_clear();
        command
    }

    struct Service {
        child: Child,
        log: BufReader<std::process::ChildStdout>,
        port: u16,
    }

    impl Drop for Service {
        fn drop(&mut self) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }

    impl Service {
        fn start(drain: &str) -> Self {
            let mut command = quotes(&["serve"]);
            command.env("PORT", "0").env("PRICE_REVISION", "3").env("DRAIN_SECONDS", drain);
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let log = BufReader::new(child.stdout.take().unwrap());
            let mut service = Self { child, log, port: 0 };
            let line = service.line();
            let address = line["address"].as_str().unwrap();
            service.port = address.rsplit(':').next().unwrap().parse().unwrap();
            service
        }

        /// The next line of the log.
        fn line(&mut self) -> serde_json::Value {
            let mut line = String::new();
            self.log.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap()
        }

        fn ask(&self, request: &str) -> String {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        }

        fn terminate(&self) {
            kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        }
    }

    #[test]
    fn quotes_are_served_and_logged_and_still_served_while_draining() {
        let mut service = Service::start("60");
        let answer = service.ask("GET /quote/SNOW HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with(
                "{\"currency\":\"USD\",\"price\":\"103.00\",\"revision\":3,\"symbol\":\"SNOW\"}\n"
            ),
            "{answer}"
        );
        let line = service.line();
        assert_eq!(
            (line["path"].as_str(), line["status"].as_u64()),
            (Some("/quote/SNOW"), Some(200))
        );
        assert!(service.ask("GET /quote/NONE HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(service.ask("POST /health HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        assert!(
            service
                .ask(&format!("GET /{} HTTP/1.1", "a".repeat(9000)))
                .starts_with("HTTP/1.1 431 ")
        );
        for _ in 0..3 {
            service.line();
        }
        service.terminate();
        assert_eq!(service.line()["event"], "draining");
        assert!(service.ask("GET /health HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nok\n"));
        assert_eq!(service.line()["draining"], true);
        service.terminate();
        assert_eq!(service.line()["event"], "stopped");
        assert_eq!(service.child.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn the_service_ends_by_itself_after_draining() {
        let mut service = Service::start("0");
        service.terminate();
        assert_eq!(service.child.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn health_asks_the_service() {
        let service = Service::start("0");
        let health =
            |port: u16| quotes(&["health"]).env("PORT", port.to_string()).output().unwrap();
        assert_eq!(health(service.port).status.code(), Some(0));
        let port = service.port;
        drop(service);
        let output = health(port);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"), "{output:?}");
    }

    #[test]
    fn batch_prints_all_quotes_and_ends() {
        let output = quotes(&["batch"]).env("PRICE_REVISION", "100").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(text.contains("SNOW      200.00 USD\n"), "{text}");
        assert!(text.ends_with("6 quotes of revision 100\n"), "{text}");
    }

    #[test]
    fn wrong_use_is_explained() {
        let output = quotes(&["sell"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("usage: quotes serve"),
            "{output:?}"
        );
        let output = quotes(&["batch"]).env("PRICE_REVISION", "new").output().unwrap();
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("PRICE_REVISION is `new`"),
            "{output:?}"
        );
    }
}
