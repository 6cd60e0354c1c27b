// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/child.c: the small static program that process.c executes.
int main(void) {
    return 7;
}
