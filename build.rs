//! Tells the crate which nginx it is built against and binds the nginx headers that nginx-sys leaves out.
//!
//! Everything comes from the metadata that nginx-sys exports (`DEP_NGINX_*`), so both see the same nginx.

use std::env;
use std::path::PathBuf;

/// nginx versions at which a structure or function that we use changed: `cfg(nginx_1_23)` and so on.
const VERSIONS: &[(u64, &str)] = &[(1_023_000, "nginx_1_23"), (1_025_001, "nginx_1_25_1")];

/// Headers that neither ngx_core.h nor ngx_http.h includes.
const HEADERS: &str = "#include <ngx_config.h>\n#include <ngx_core.h>\n#include <ngx_md5.h>\n#include <ngx_sha1.h>\n";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DEP_NGINX_VERSION_NUMBER");
    let version: u64 = variable("DEP_NGINX_VERSION_NUMBER").parse().expect("a version number");
    for (since, name) in VERSIONS {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if version >= *since {
            println!("cargo::rustc-cfg={name}");
        }
    }

    let features = variable("DEP_NGINX_FEATURES");
    println!("cargo::rustc-check-cfg=cfg(ngx_feature, values({}))", variable("DEP_NGINX_FEATURES_CHECK"));
    for feature in features.split(',').filter(|feature| !feature.is_empty()) {
        println!("cargo::rustc-cfg=ngx_feature=\"{feature}\"");
    }

    let includes = variable("DEP_NGINX_INCLUDE");
    let includes = env::split_paths(&includes).map(|path| format!("-I{}", path.display()));
    bindgen::Builder::default()
        .header_contents("unbound.h", HEADERS)
        .clang_args(includes)
        .allowlist_function("ngx_(md5|sha1)_.*")
        .allowlist_type("ngx_(md5|sha1)_t")
        .layout_tests(false)
        .use_core()
        .generate()
        .expect("bindings of ngx_md5.h and ngx_sha1.h")
        .write_to_file(PathBuf::from(variable("OUT_DIR")).join("unbound.rs"))
        .expect("OUT_DIR is writable");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set; build by scripts/build"))
}
