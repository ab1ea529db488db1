<?php
// SPDX-License-Identifier: Apache-2.0
// wordpress.php URL POSTS -- installs the WordPress of the current folder and fills it; prints
// one JSON line with an application password.
[, $url, $posts] = $argv;
$_SERVER['HTTP_HOST'] = parse_url($url, PHP_URL_HOST) . ':' . parse_url($url, PHP_URL_PORT);
$_SERVER['REQUEST_URI'] = '/';
define('WP_INSTALLING', true);
function wp_new_blog_notification() {}
require getcwd() . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Test', 'editor', 'editor@example.org', true, '', wp_slash(wp_generate_password()));
update_option('siteurl', $url);
update_option('home', $url);
update_option('permalink_structure', '/%postname%/');
foreach (get_posts(['numberposts' => -1, 'post_status' => 'any', 'post_type' => ['post', 'page']]) as $post) {
    wp_delete_post($post->ID, true);
}
$user = get_user_by('login', 'editor');
[$password] = WP_Application_Passwords::create_new_application_password($user->ID, ['name' => 'nango']);
$start = strtotime('2024-01-01T00:00:00Z');
for ($i = 1; $i <= $posts; $i++) {
    $date = gmdate('Y-m-d H:i:s', $start + 60 * $i);
    wp_insert_post([
        'post_title' => "Post $i", 'post_content' => "<p>Text of post $i, with “quotes” and ünïcode.</p>",
        'post_status' => $i % 10 == 0 ? 'draft' : 'publish', 'post_author' => $user->ID,
        'post_date' => $date, 'post_date_gmt' => $date,
    ], true);
}
for ($i = 1; $i <= 3; $i++) {
    wp_insert_user(['user_login' => "author$i", 'user_pass' => wp_generate_password(), 'user_email' => "author$i@example.org", 'role' => 'author']);
}
echo json_encode(['username' => 'editor', 'password' => $password]), "\n";
