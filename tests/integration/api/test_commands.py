"""Commands and configuration without cameras."""

import os
import subprocess
import tempfile
import unittest

from rookery import SERVER, Rookery

HEADER = "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,sub_url,record\n"


class Commands(unittest.TestCase):
    def setUp(self):
        self.rookery = Rookery()

    def tearDown(self):
        self.rookery.end()

    def file(self, text, name="in.csv"):
        path = os.path.join(self.rookery.folder, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def test_unknown_command_and_option_are_usage_errors(self):
        for args in (["nonsense"], ["import"], ["serve", "--wrong"], []):
            out = subprocess.run([SERVER, *args], capture_output=True, text=True, check=False)
            self.assertEqual(out.returncode, 2, args)
            self.assertTrue(out.stderr)

    def test_every_command_has_help(self):
        for name in ("serve", "check-config", "user", "import", "index", "export", "report", "version", "verify",
                     "backup", "restore"):
            out = subprocess.run([SERVER, name, "--help"], capture_output=True, text=True, check=False)
            self.assertEqual((out.returncode, out.stderr), (0, ""), name)
            self.assertIn("usage: rookery " + name, out.stdout)

    def test_unknown_config_key_names_line_and_key(self):
        with open(self.rookery.config, "a", encoding="utf-8") as f:
            f.write("retension: {days: 3}\n")
        line = sum(1 for _ in open(self.rookery.config, encoding="utf-8"))
        for args in (["check-config", self.rookery.config], ["serve", "--config", self.rookery.config]):
            out = subprocess.run([SERVER, *args], capture_output=True, text=True, check=False)
            self.assertEqual(out.returncode, 1)
            self.assertIn(f":{line}:", out.stderr)
            self.assertIn("retension", out.stderr)
            self.assertEqual(out.stderr.count("\n"), 1)

    def test_wrong_value_names_line_and_key(self):
        with open(self.rookery.config, "a", encoding="utf-8") as f:
            f.write("retention:\n  days: 0\n")
        line = sum(1 for _ in open(self.rookery.config, encoding="utf-8"))
        out = subprocess.run([SERVER, "check-config", self.rookery.config], capture_output=True, text=True, check=False)
        self.assertEqual(out.returncode, 1)
        self.assertRegex(out.stderr, f':{line}: key "retention.days"')

    def test_sample_configuration_is_fine(self):
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
        out = subprocess.run([SERVER, "check-config", os.path.join(root, "configs", "rookery.yaml")],
                             capture_output=True, text=True, check=False)
        self.assertEqual((out.returncode, out.stderr), (0, ""))

    def test_import_is_all_or_nothing_and_names_every_bad_line(self):
        path = self.file(HEADER +
                         "甲镇,i-1,一号园,cam-1,门口,entrance,rtsp://127.0.0.1/1,,\n"
                         "甲镇,i-1,一号园,cam-2,厕所,toilet,rtsp://127.0.0.1/2,,\n"
                         "甲镇,i-1,一号园,cam-3,走廊,corridor,file:///etc/passwd,,\n"
                         "甲镇,i-1,一号园,cam-1,走廊,corridor,rtsp://127.0.0.1/4,,\n"
                         "甲镇,i-1,别的园,cam-5,走廊,corridor,rtsp://127.0.0.1/5,,\n"
                         "甲镇,i-1,一号园,cam-6,走廊,corridor,rtsp://127.0.0.1/6,,sub\n")
        out = self.rookery.command("import", path)
        self.assertEqual(out.returncode, 1)
        for line, word in ((3, "law"), (4, "no address of a stream"), (5, "line 2"), (6, "一号园"), (7, "sub_url")):
            self.assertRegex(out.stderr, f"(?m)^.*:{line}: .*{word}")
        fine = self.file(HEADER + "甲镇,i-1,一号园,cam-1,门口,entrance,rtsp://127.0.0.1/1,,\n", "fine.csv")
        out = self.rookery.command("import", fine, "--dry-run")
        self.assertEqual(out.returncode, 0)
        self.assertIn("cameras 1 new", out.stdout)  # the bad file left nothing behind

    def test_import_takes_gbk_and_repeats_change_nothing(self):
        text = ("乡镇,机构编号,机构名称,摄像机编号,摄像机名称,区域类型,主码流\r\n"
                "甲镇,i-1,一号园,cam-1,\"门口, 东\",门口,rtsp://127.0.0.1/1\r\n")
        path = self.file(text.encode("gbk"))
        out = self.rookery.command("import", path)
        self.assertEqual((out.returncode, out.stderr), (0, ""))
        out = self.rookery.command("import", path)
        self.assertIn("cameras 0 new, 0 changed", out.stdout)

    def test_users_are_added_and_listed(self):
        out = self.rookery.command("user", "add", "second", "--password-stdin", stdin="long enough\n")
        self.assertEqual((out.returncode, out.stderr), (0, ""))
        out = self.rookery.command("user", "add", "second", "--password-stdin", stdin="long enough\n")
        self.assertEqual(out.returncode, 1)
        self.assertIn("exists", out.stderr)
        out = self.rookery.command("user", "passwd", "second", "--password-stdin", stdin="short\n")
        self.assertEqual(out.returncode, 1)
        out = self.rookery.command("user", "list")
        self.assertIn("second", out.stdout)
        self.assertIn("admin", out.stdout)

    def test_first_password_is_generated_and_printed_once(self):
        env = {k: v for k, v in os.environ.items() if k != "ROOKERY_ADMIN_PASSWORD"}
        args = [SERVER, "user", "list", "--config", self.rookery.config]
        first = subprocess.run(args, env=env, capture_output=True, text=True, check=True)
        second = subprocess.run(args, env=env, capture_output=True, text=True, check=True)
        self.assertIn("user admin, password ", first.stdout)
        self.assertNotIn("password b", second.stdout)
        self.assertNotIn("shown only now", second.stdout)

    def test_keys_are_for_the_owner_only(self):
        self.rookery.command("user", "list")
        keys = os.path.join(self.rookery.data_dir, "keys")
        self.assertEqual(os.stat(keys).st_mode & 0o777, 0o700)
        for name in os.listdir(keys):
            self.assertEqual(os.stat(os.path.join(keys, name)).st_mode & 0o777, 0o600)

    def test_unreachable_data_dir_is_a_sentence(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write("data_dir: /proc/nowhere\n")
            f.flush()
            out = subprocess.run([SERVER, "serve", "--config", f.name], capture_output=True, text=True, check=False)
        self.assertEqual(out.returncode, 1)
        self.assertEqual(out.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
