//! What is written anew is read anew; what only the run directory holds is found.

use super::*;
use crate::survey::runtime::Papers;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const MERGED: &str = "/odd place/overlay2/abc/merged";
const STORE: &str = "/odd place/root";

/// Docker's files of one container in an unusual place.
fn docker(name: &str) -> TempDir {
    let entry = format!("odd place/image/overlay2/layerdb/mounts/{ID}/mount-id");
    let config = format!("odd place/containers/{ID}/config.v2.json");
    tree(&[(&entry, "abc"), (&config, &docker_config(name))])
}

fn docker_config(name: &str) -> String {
    format!(r#"{{"Name":"/{name}","Config":{{"Image":"lab/bb:1"}},"Image":"sha256:00"}}"#)
}

/// Writes a file as runtimes do: beside it, and then in its place.
fn rewrite(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

fn first(readers: &mut Readers, mountpoint: &str) -> (Container, Papers) {
    let (owner, papers) = readers.described(Path::new(mountpoint));
    (container(owner), papers)
}

#[test]
fn a_container_that_docker_renames_has_its_new_name() {
    let root = docker("before");
    let mut readers = Readers::new(root.path());
    let (known, papers) = first(&mut readers, MERGED);
    assert_eq!(known.name, some("before"));
    assert_eq!(readers.again(&papers, &known), None);
    let config = format!("odd place/containers/{ID}/config.v2.json");
    rewrite(&root, &config, &docker_config("after"));
    let (renamed, papers) = readers.again(&papers, &known).unwrap();
    assert_eq!(renamed.name, some("after"));
    assert_eq!(
        (renamed.id, renamed.image),
        (known.id.clone(), known.image.clone())
    );
    assert_eq!(readers.again(&papers, &known), None);
}

#[test]
fn a_file_that_was_missing_or_half_written_is_read_when_it_is_whole() {
    let root = docker("late");
    let config = format!("odd place/containers/{ID}/config.v2.json");
    fs::remove_file(root.path().join(&config)).unwrap();
    let mut readers = Readers::new(root.path());
    let (known, papers) = first(&mut readers, MERGED);
    assert_eq!((known.id.as_deref(), &known.name), (Some(ID), &None));
    rewrite(&root, &config, "{\"Name\":");
    let (half, papers) = readers.again(&papers, &known).unwrap();
    assert_eq!(half.name, None);
    rewrite(&root, &config, &docker_config("late"));
    let (whole, _) = readers.again(&papers, &half).unwrap();
    assert_eq!(whole.name, some("late"));
    assert!(!whole.missing.contains(&"config"), "{:?}", whole.missing);
}

#[test]
fn a_container_keeps_its_name_when_its_files_go() {
    let root = docker("kept");
    let mut readers = Readers::new(root.path());
    let (known, papers) = first(&mut readers, MERGED);
    let config = format!("odd place/containers/{ID}/config.v2.json");
    fs::remove_file(root.path().join(config)).unwrap();
    assert_eq!(readers.again(&papers, &known), None);
    fs::remove_dir_all(root.path().join("odd place")).unwrap();
    assert_eq!(readers.again(&papers, &known), None);
}

/// A list of containers as podman writes it: a rename leaves the text within alone.
fn podman_list(name: &str) -> String {
    let within = r#"{\"image-name\":\"lab/bb:1\",\"name\":\"before\"}"#;
    format!(
        r#"[{{"id":"{ID}","names":["{name}"],"image":"00","layer":"abc","metadata":"{within}"}}]"#
    )
}

/// The bundle of the container, whose bound files lie in the run directory.
fn podman_bundle(run: &str) -> String {
    let own = format!("overlay-containers/{ID}/userdata");
    format!(
        r#"{{"root":{{"path":"{STORE}/overlay/abc/merged"}},"annotations":{{}},"mounts":[
            {{"source":"tmpfs"}},{{"source":"{STORE}/{own}/shm"}},{{"source":"{run}/{own}/hosts"}}]}}"#
    )
}

#[test]
fn a_container_that_podman_renames_has_its_new_name() {
    let list = "odd place/root/overlay-containers/containers.json";
    let root = tree(&[(list, &podman_list("before"))]);
    let mut readers = Readers::new(root.path());
    let merged = format!("{STORE}/overlay/abc/merged");
    let (known, papers) = first(&mut readers, &merged);
    assert_eq!(known.name, some("before"));
    rewrite(&root, list, &podman_list("after"));
    let (renamed, _) = readers.again(&papers, &known).unwrap();
    assert_eq!((renamed.name, renamed.id), (some("after"), some(ID)));
}

#[test]
fn a_transient_store_is_found_from_the_files_bound_into_the_container() {
    let bundle = format!("odd place/root/overlay-containers/{ID}/userdata/config.json");
    let list = "odd run/overlay-containers/volatile-containers.json";
    let root = tree(&[
        (&bundle, &podman_bundle("/odd run")),
        (list, &podman_list("before")),
    ]);
    let mut readers = Readers::new(root.path());
    let (known, _) = first(&mut readers, &format!("{STORE}/overlay/abc/merged"));
    assert_eq!((known.id, known.name), (some(ID), some("before")));
    assert_eq!(known.image.name, some("lab/bb"));
}

#[test]
fn a_transient_store_is_found_from_the_hosts_configuration() {
    let list = "odd run/overlay-containers/volatile-containers.json";
    let root = tree(&[
        ("odd place/root/overlay-containers/x", ""),
        (
            "etc/containers/storage.conf",
            "[storage]\nrunroot = \"/odd run\"\n",
        ),
        (list, &podman_list("before")),
    ]);
    let mut readers = Readers::new(root.path());
    let (known, _) = first(&mut readers, &format!("{STORE}/overlay/abc/merged"));
    assert_eq!((known.id, known.name), (some(ID), some("before")));
}
