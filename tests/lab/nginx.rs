//! nginx as a server of HTTPS, such as the one with the policy of MTA-STS.

use std::path::{Path, PathBuf};

use super::Lab;
use super::daemon::Daemon;

/// A server of HTTPS.
#[derive(Debug)]
pub struct Nginx {
    /// The process.
    daemon: Daemon,
    /// Its configuration.
    configuration: PathBuf,
}

/// Whether something listens at an address and port.
pub fn connects(lab: &Lab, address: &str, port: u16) -> bool {
    let script = "import socket,sys\nsocket.create_connection((sys.argv[1],int(sys.argv[2])),2)";
    let mut command = lab.namespace.command("python3");
    let output = command.args(["-c", script, address, &port.to_string()]).output();
    output.is_ok_and(|output| output.status.success())
}

impl Nginx {
    /// Starts a server at port 443 of this address, which has nothing to say.
    pub fn start(lab: &Lab, address: &str, certificate: &Path, key: &Path) -> Self {
        Self::start_doing(lab, address, certificate, key, "return 204;")
    }

    /// Starts a server at port 443 of this address, which asks another what it is asked.
    pub fn start_before(lab: &Lab, other: &str, address: &str, bundle: &Path) -> Self {
        let what = format!("location / {{ proxy_pass {other}; }}");
        Self::start_doing(lab, address, bundle, bundle, &what)
    }

    /// Starts a server at port 443 of this address, which does this with each request.
    fn start_doing(lab: &Lab, address: &str, certificate: &Path, key: &Path, what: &str) -> Self {
        let directory = lab.path("nginx");
        std::fs::create_dir_all(&directory).expect("nginx's directory");
        let path = directory.display();
        let text = format!(
            "daemon off;\nuser www-data;\nworker_processes 2;\npid {path}/pid;\nerror_log \
             {path}/log;\nevents {{}}\nhttp {{\n  access_log off;\n  client_body_temp_path \
             {path}/body;\n  proxy_temp_path {path}/proxy;\n  fastcgi_temp_path {path}/fastcgi;\n  \
             uwsgi_temp_path {path}/uwsgi;\n  scgi_temp_path {path}/scgi;\n  server {{\n    listen \
             {address}:443 ssl;\n    ssl_certificate {};\n    ssl_certificate_key {};\n    {what}\n  \
             }}\n}}\n",
            certificate.display(),
            key.display()
        );
        let configuration = directory.join("nginx.conf");
        std::fs::write(&configuration, text).expect("nginx.conf");
        let mut command = lab.namespace.command("nginx");
        command.arg("-c").arg(&configuration);
        let mut daemon = Daemon::start("nginx", command, &directory.join("console"));
        daemon.wait_until("nginx answers", || connects(lab, address, 443));
        Self { daemon, configuration }
    }

    /// A script that makes it read its files.
    pub fn reload(&self) -> String {
        format!("exec nginx -c {} -s reload", self.configuration.display())
    }

    /// What it said last.
    pub fn log(&self) -> String {
        super::daemon::tail(&self.configuration.with_file_name("log")) + &self.daemon.tail()
    }
}
