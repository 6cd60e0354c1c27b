# SPDX-License-Identifier: MIT OR Apache-2.0
mkdir -p d/e
printf 'alpha\nbeta\ngamma\nAlphabet\n' > d/one
printf 'delta\nalpha beta\n12345\n' > d/e/two
grep -r alpha . | sort
grep -rn beta d | sort
grep -c a d/one
grep -i alpha d/one
grep -v a d/e/two
grep -E '^[0-9]+$' d/e/two
grep -rl gamma .
grep -o 'be' d/one
grep -w alpha d/one
grep -A1 beta d/one
grep -q nothing d/one; echo $?
grep x absent 2>&1; echo $?
grep -F '.' d/one; echo $?
