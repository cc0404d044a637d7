// Written by `v2s hosts install premiere`: where `v2s worker --socket` leaves its port and token.
module.exports = { connectionFile: "@CONNECTION@" };
