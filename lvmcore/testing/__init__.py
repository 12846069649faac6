"""The conformance kit: `pytest --lvm-plugin NAME` holds any plugin to what each kind of component promises.

`promises.py` is the list, `kinds/` has one file a kind, `pytest_plugin.py` is what pytest loads. Nothing here is
imported before the option is given, and a test-suite that has nothing to do with lvm pays for one small module.
"""
