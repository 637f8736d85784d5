from rareseg.records.audit import Audit


def test_a_part_is_found_by_its_name(audit_record: Audit):
    assert [audit_record.part(name) for name in ("train", "val", "test")] == list(audit_record.parts)


def test_a_part_that_the_data_lack_is_none(audit_record: Audit):
    only = Audit(
        dataset=audit_record.dataset, total=audit_record.total, parts=audit_record.parts[:1], notes=()
    )
    assert only.part("train") is not None
    assert only.part("val") is None
