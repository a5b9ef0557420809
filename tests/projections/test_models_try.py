import sys
sys.path.insert(0,'tests')
from given import step
from lab import *
from led import begin, led
ACT = {"handler": {"callable": "act"}}
line = led(step("a", **ACT), step("b", "a", **ACT), name="line")
def test_it(lab):
    engine = lab.open(line, projections={"builtin": True})
    _, task = begin(engine, line, tags=["x"])
    _, bad = begin(engine, line, fails="a", actor="ada")
    task.wait(30); 
    lab.move_clock("1 hour")
    import time; time.sleep(2)
    task.annotate("k", {"a": [None, "\0x"]}, actor="ada")
    task.tag("y", actor="ada"); task.untag("x", actor="bob")
    for s in engine.projections.list(): print(s)
    for name in ["flowledger_history","flowledger_analytics","flowledger_audit","flowledger_notes","flowledger_systems"]:
        engine.projections.wait_for(name, timeout=10)
        for (t,) in lab.rows("select table_name from information_schema.views where table_schema=%s", name):
            print(name, t)
            for r in lab.rows(f"select to_json(t) from {name}.{t} t"): print("   ", r[0])
