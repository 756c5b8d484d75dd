fn main() {
    for crd in webinar_api::crds() {
        let plural = &crd.spec.names.plural;
        println!("{} {}", plural, serde_json::to_string(&crd).unwrap().len());
        std::fs::write(format!("/work/main/crds/{plural}.yaml"), webinar_api::crd_yaml(&crd).unwrap()).unwrap();
    }
}
